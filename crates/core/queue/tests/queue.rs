//! A queue by examples, and what holds whatever is done to it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use roadstead_queue::{Counts, Message, NotChanged, Queue};

const TIMEOUT: i64 = 30;

fn receipts() -> impl FnMut() -> u64 {
    let mut last = 0;
    move || {
        last += 1;
        last
    }
}

fn filled(numbers: &[(u64, i64, Option<&str>)]) -> Queue {
    let mut queue = Queue::default();
    for (number, visible, group) in numbers {
        queue.insert(*number, Message::new(0, *visible, group.map(Arc::from)), 0);
    }
    queue
}

fn receive(queue: &mut Queue, most: usize, now: i64) -> Vec<u64> {
    let taken = queue.receive(most, TIMEOUT, now, receipts());
    taken.iter().map(|taken| taken.number).collect()
}

#[test]
fn a_message_is_with_one_until_its_timeout_and_then_again_for_all() {
    let mut queue = filled(&[(1, 0, None), (2, 0, None), (3, 10, None)]);
    assert_eq!(
        queue.counts(0),
        Counts {
            visible: 2,
            in_flight: 0,
            delayed: 1
        }
    );
    assert_eq!(receive(&mut queue, 10, 0), [1, 2]);
    assert_eq!(receive(&mut queue, 10, 0), []);
    assert_eq!(queue.next_at(), Some(10));
    assert_eq!(receive(&mut queue, 10, 10), [3]);
    assert_eq!(
        queue.counts(29),
        Counts {
            visible: 0,
            in_flight: 3,
            delayed: 0
        }
    );
    assert_eq!(queue.next_at(), Some(30));
    assert_eq!(receive(&mut queue, 1, 30), [1]);
    assert_eq!(queue.get(1).map(|message| message.receives), Some(2));
}

#[test]
fn only_the_latest_receipt_changes_when_a_message_is_seen() {
    let mut queue = filled(&[(1, 0, None)]);
    let mut receipt = receipts();
    let first = queue.receive(1, TIMEOUT, 5, &mut receipt)[0].message.receipt;
    assert_eq!(
        queue.change(1, first, 100, 6).map(|message| message.visible),
        Ok(100)
    );
    assert_eq!(receive(&mut queue, 1, 99), []);
    assert_eq!(
        queue.change(1, first, 99, 99).map(|message| message.visible),
        Ok(99)
    );
    let again = queue.receive(1, TIMEOUT, 99, &mut receipt).remove(0).message;
    assert_eq!((again.receives, again.first_received, again.received), (2, 5, 99));
    let second = again.receipt;
    assert_eq!(queue.change(1, first, 500, 100), Err(NotChanged::Gone));
    assert_eq!(queue.change(1, second, 500, 200), Err(NotChanged::NotInFlight));
    assert_eq!(queue.change(2, second, 500, 200), Err(NotChanged::Gone));
}

#[test]
fn a_group_waits_for_what_somebody_has_of_it() {
    let mut queue = filled(&[
        (1, 0, Some("a")),
        (2, 0, Some("b")),
        (3, 0, Some("a")),
        (4, 0, Some("b")),
    ]);
    assert_eq!(receive(&mut queue, 1, 0), [1]);
    assert_eq!(receive(&mut queue, 10, 0), [2, 4], "the other group goes on");
    assert_eq!(receive(&mut queue, 10, 0), []);
    queue.remove(1, 1);
    assert_eq!(receive(&mut queue, 10, 1), [3]);
    queue.remove(2, 1);
    assert_eq!(receive(&mut queue, 10, 29), [], "4 is still with somebody");
    assert_eq!(receive(&mut queue, 10, 30), [4]);
}

#[test]
fn as_many_as_possible_are_of_one_group_and_a_delayed_one_holds_up_its_group() {
    let mut queue = filled(&[
        (1, 0, Some("a")),
        (2, 0, Some("b")),
        (3, 0, Some("a")),
        (4, 50, Some("c")),
        (5, 0, Some("c")),
    ]);
    assert_eq!(receive(&mut queue, 2, 0), [1, 3]);
    assert_eq!(receive(&mut queue, 5, 0), [2]);
    assert_eq!(queue.next_at(), Some(30));
    for number in [1, 2, 3] {
        queue.remove(number, 0);
    }
    assert_eq!(queue.next_at(), Some(50));
    assert_eq!(receive(&mut queue, 5, 50), [4, 5]);
}

#[test]
fn what_was_received_too_often_is_a_dead_letter_at_its_next_turn() {
    let mut queue = filled(&[(1, 0, None), (2, 0, None)]);
    for round in 0..2 {
        assert_eq!(queue.dead(2, 10, round * TIMEOUT), []);
        receive(&mut queue, 1, round * TIMEOUT);
        queue.remove(2, 0);
    }
    let dead: Vec<u64> = queue
        .dead(2, 10, 2 * TIMEOUT)
        .iter()
        .map(|dead| dead.number)
        .collect();
    assert_eq!(dead, [1]);
    assert!(queue.is_empty());
}

#[test]
fn what_is_old_is_found_by_its_age() {
    let mut queue = Queue::default();
    for (number, sent) in [(1, 30), (2, 10), (3, 20)] {
        queue.insert(number, Message::new(sent, sent, None), 100);
    }
    assert_eq!(queue.older_than(30, 10), [2, 3]);
    assert_eq!(queue.older_than(30, 1), [2]);
    assert_eq!(queue.oldest(), Some(10));
}

#[derive(Clone, Debug)]
enum Step {
    Send { group: u8, delay: i64 },
    Receive { most: usize, timeout: i64 },
    Delete { nth: usize },
    Change { nth: usize, after: i64 },
    Pass { time: i64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3u8, 0..20i64).prop_map(|(group, delay)| Step::Send { group, delay }),
        (1..4usize, 0..20i64).prop_map(|(most, timeout)| Step::Receive { most, timeout }),
        (0..8usize).prop_map(|nth| Step::Delete { nth }),
        (0..8usize, 0..20i64).prop_map(|(nth, after)| Step::Change { nth, after }),
        (0..15i64).prop_map(|time| Step::Pass { time }),
        Just(Step::Restart),
    ]
}

proptest! {
    /// Nobody receives what another has; none is lost; counts add up; a group is received in order, one lot at a time;
    /// and a restart over what was written down changes none of this.
    #[test]
    fn whatever_is_done(fifo: bool, steps in prop::collection::vec(step(), 1..80)) {
        let mut queue = Queue::default();
        let mut receipt = receipts();
        let mut now = 1;
        let mut sent = 0;
        let mut alive: BTreeMap<u64, Message> = BTreeMap::new();
        let mut held: Vec<(u64, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Send { group, delay } => {
                    sent += 1;
                    let group = fifo.then(|| Arc::from(group.to_string()));
                    let message = Message::new(now, now + delay, group);
                    queue.insert(sent, message.clone(), now);
                    alive.insert(sent, message);
                }
                Step::Receive { most, timeout } => {
                    let taken = queue.receive(most, timeout, now, &mut receipt);
                    prop_assert!(taken.len() <= most);
                    let mut groups = HashSet::new();
                    for one in &taken {
                        let before = &alive[&one.number];
                        prop_assert!(before.visible <= now, "{} was not to be seen", one.number);
                        prop_assert_eq!(one.message.receives, before.receives + 1);
                        if let Some(group) = &before.group {
                            groups.insert(Arc::clone(group));
                        }
                    }
                    for group in groups {
                        let mine: Vec<u64> = taken.iter().filter(|one| one.message.group.as_ref() == Some(&group)).map(|one| one.number).collect();
                        let first: Vec<u64> = alive.iter().filter(|(_, message)| message.group.as_ref() == Some(&group)).map(|(number, _)| *number).take(mine.len()).collect();
                        prop_assert_eq!(mine, first, "out of order, or while one was with somebody");
                    }
                    for one in taken {
                        held.push((one.number, one.message.receipt));
                        alive.insert(one.number, one.message);
                    }
                }
                Step::Delete { nth } => {
                    if let Some((number, _)) = held.get(nth).copied() {
                        let gone = queue.remove(number, now);
                        prop_assert_eq!(gone, alive.remove(&number));
                    }
                }
                Step::Change { nth, after } => {
                    if let Some((number, receipt)) = held.get(nth).copied() {
                        let known = alive.get(&number).filter(|message| message.receipt == receipt).cloned();
                        let changed = queue.change(number, receipt, now + after, now);
                        match known {
                            None => prop_assert_eq!(changed, Err(NotChanged::Gone)),
                            Some(message) if message.visible <= now => prop_assert_eq!(changed, Err(NotChanged::NotInFlight)),
                            Some(_) => { alive.insert(number, changed.expect("changed")); }
                        }
                    }
                }
                Step::Pass { time } => now += time,
                Step::Restart => {
                    queue = Queue::default();
                    for (number, message) in &alive {
                        queue.insert(*number, message.clone(), now);
                    }
                }
            }
            let counts = queue.counts(now);
            prop_assert_eq!(counts.visible + counts.in_flight + counts.delayed, alive.len());
            let flying = alive.values().filter(|message| message.receipt != 0 && message.visible > now).count();
            prop_assert_eq!(counts.in_flight, flying);
        }
        // In the end everything that is left can be had.
        now += 1000;
        let mut rest = HashSet::new();
        while let taken = queue.receive(10, 0, now, &mut receipt) && !taken.is_empty() && rest.len() < alive.len() {
            for one in taken {
                queue.remove(one.number, now);
                rest.insert(one.number);
            }
        }
        prop_assert_eq!(rest.len(), alive.len());
    }
}
