//! One queue.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::groups::Groups;

/// What is known of a message besides its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it was sent: what it ages from.
    pub sent: i64,
    /// Not to be received before.
    pub visible: i64,
    /// How often it was received.
    pub receives: u32,
    /// When it was received first, and last; 0 if it never was.
    pub first_received: i64,
    pub received: i64,
    /// What the latest receipt handle holds; 0 if it was never received.
    pub receipt: u64,
    /// FIFO queues alone.
    pub group: Option<Arc<str>>,
}

impl Message {
    /// Sent now, not to be received before `visible`.
    pub fn new(sent: i64, visible: i64, group: Option<Arc<str>>) -> Self {
        Self {
            sent,
            visible,
            receives: 0,
            first_received: 0,
            received: 0,
            receipt: 0,
            group,
        }
    }
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Can be received, or will be once its delay is over.
    Waiting,
    /// With somebody, until its visibility timeout is over.
    Flying,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub number: u64,
    pub message: Message,
}

/// Why the visibility of a message was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChanged {
    /// It is gone, or was received again since.
    Gone,
    /// Its timeout is over, so that it is with nobody.
    NotInFlight,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
}

#[derive(Debug, Default)]
pub struct Queue {
    messages: HashMap<u64, (Message, Place)>,
    /// Of standard queues: waiting, by when they can be received, then number.
    waiting: BTreeSet<(i64, u64)>,
    /// Of FIFO queues: waiting.
    groups: Groups,
    /// By when their timeout is over.
    flying: BTreeSet<(i64, u64)>,
    /// Of either kind: never received and delayed, by when they can be.
    delayed: BTreeSet<(i64, u64)>,
    /// By age.
    ages: BTreeSet<(i64, u64)>,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn get(&self, number: u64) -> Option<&Message> {
        self.messages.get(&number).map(|(message, _)| message)
    }

    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.messages.keys().copied()
    }

    /// Takes in a message that was sent, or was there before a restart.
    pub fn insert(&mut self, number: u64, message: Message, now: i64) {
        self.remove(number, now);
        self.ages.insert((message.sent, number));
        let place = if message.receipt != 0 && message.visible > now {
            Place::Flying
        } else {
            Place::Waiting
        };
        match place {
            Place::Flying => {
                self.flying.insert((message.visible, number));
                if let Some(group) = &message.group {
                    self.groups.fly(group, now);
                }
            }
            Place::Waiting => {
                if message.visible > now {
                    self.delayed.insert((message.visible, number));
                }
                self.wait(number, &message, now);
            }
        }
        self.messages.insert(number, (message, place));
    }

    fn wait(&mut self, number: u64, message: &Message, now: i64) {
        match &message.group {
            Some(group) => self.groups.wait(group, number, message.visible, now),
            None => {
                self.waiting.insert((message.visible, number));
            }
        }
    }

    /// Takes a message out, wherever it stands.
    pub fn remove(&mut self, number: u64, now: i64) -> Option<Message> {
        let (message, place) = self.messages.remove(&number)?;
        self.ages.remove(&(message.sent, number));
        self.delayed.remove(&(message.visible, number));
        match (place, &message.group) {
            (Place::Flying, group) => {
                self.flying.remove(&(message.visible, number));
                if let Some(group) = group {
                    self.groups.land(group, now);
                }
            }
            (Place::Waiting, Some(group)) => self.groups.gone(group, number, now),
            (Place::Waiting, None) => {
                self.waiting.remove(&(message.visible, number));
            }
        }
        Some(message)
    }

    /// What was with somebody for too long waits again; delays that are over are none.
    fn settle(&mut self, now: i64) {
        while let Some((until, number)) = self.flying.first().copied()
            && until <= now
        {
            self.flying.remove(&(until, number));
            self.land(number, now);
        }
        while let Some((until, number)) = self.delayed.first().copied()
            && until <= now
        {
            self.delayed.remove(&(until, number));
        }
    }

    fn land(&mut self, number: u64, now: i64) {
        let Some((message, place)) = self.messages.get_mut(&number) else {
            return;
        };
        *place = Place::Waiting;
        let message = message.clone();
        if let Some(group) = &message.group {
            self.groups.land(group, now);
        }
        self.wait(number, &message, now);
    }

    /// Those who can be received now, in order, without receiving them.
    fn ready(&mut self, most: usize, now: i64) -> Vec<u64> {
        self.settle(now);
        let mut found = self.groups.next(most, now);
        let waiting = self.waiting.iter().take_while(|(from, _)| *from <= now);
        found.extend(waiting.map(|(_, number)| *number).take(most - found.len()));
        found
    }

    /// Receives up to `most` messages, which nobody else receives for `timeout`. Each gets a receipt, made by `receipt`,
    /// which never gives 0.
    pub fn receive(
        &mut self,
        most: usize,
        timeout: i64,
        now: i64,
        mut receipt: impl FnMut() -> u64,
    ) -> Vec<Taken> {
        let ready = self.ready(most, now);
        let take = |number: u64| {
            let mut message = self.remove(number, now)?;
            message.receives += 1;
            message.received = now;
            if message.first_received == 0 {
                message.first_received = now;
            }
            message.receipt = receipt();
            message.visible = now + timeout;
            self.insert(number, message.clone(), now);
            Some(Taken { number, message })
        };
        ready.into_iter().filter_map(take).collect()
    }

    /// Takes out those whose turn it is and that were received `limit` times already: dead letters.
    pub fn dead(&mut self, limit: u32, most: usize, now: i64) -> Vec<Taken> {
        let mut dead = Vec::new();
        while dead.len() < most {
            // Of the next ones: what dies makes room for those behind it.
            let found: Vec<u64> = self
                .ready(most, now)
                .into_iter()
                .filter(|number| self.get(*number).is_some_and(|message| message.receives >= limit))
                .collect();
            if found.is_empty() {
                break;
            }
            for number in found {
                if let Some(message) = self.remove(number, now) {
                    dead.push(Taken { number, message });
                }
            }
        }
        dead
    }

    /// Takes the first ones out that are with nobody, in order.
    pub fn take_out(&mut self, most: usize, now: i64) -> Vec<Taken> {
        let ready = self.ready(most, now);
        let take = |number| {
            let message = self.remove(number, now)?;
            Some(Taken { number, message })
        };
        ready.into_iter().filter_map(take).collect()
    }

    /// Whether somebody has the message by this receipt.
    pub fn holds(&mut self, number: u64, receipt: u64, now: i64) -> bool {
        self.settle(now);
        let found = self.messages.get(&number);
        found.is_some_and(|(message, place)| message.receipt == receipt && *place == Place::Flying)
    }

    /// Makes the message that somebody has by this receipt visible at another time.
    ///
    /// # Errors
    /// It is gone, or nobody's.
    pub fn change(
        &mut self,
        number: u64,
        receipt: u64,
        visible: i64,
        now: i64,
    ) -> Result<Message, NotChanged> {
        let known = self.get(number).is_some_and(|message| message.receipt == receipt);
        if !known {
            return Err(NotChanged::Gone);
        }
        if !self.holds(number, receipt, now) {
            return Err(NotChanged::NotInFlight);
        }
        let mut message = self.remove(number, now).ok_or(NotChanged::Gone)?;
        message.visible = visible;
        self.insert(number, message.clone(), now);
        Ok(message)
    }

    /// Those sent before, oldest first.
    pub fn older_than(&self, sent: i64, most: usize) -> Vec<u64> {
        let old = self.ages.iter().take_while(|(age, _)| *age < sent);
        old.map(|(_, number)| *number).take(most).collect()
    }

    /// When the oldest message was sent.
    pub fn oldest(&self) -> Option<i64> {
        self.ages.first().map(|(sent, _)| *sent)
    }

    pub fn counts(&mut self, now: i64) -> Counts {
        self.settle(now);
        let (in_flight, delayed) = (self.flying.len(), self.delayed.len());
        Counts {
            visible: self.messages.len() - in_flight - delayed,
            in_flight,
            delayed,
        }
    }

    /// When something can be received next that cannot be now, as far as time alone decides.
    pub fn next_at(&self) -> Option<i64> {
        let flying = self.flying.first().map(|(until, _)| *until);
        let delayed = self.delayed.first().map(|(until, _)| *until);
        [flying, delayed, self.groups.next_at()]
            .into_iter()
            .flatten()
            .min()
    }
}
