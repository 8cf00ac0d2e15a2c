//! Which tasks wait for a worker, in memory: an index over what executions have written down, so that nothing is lost with
//! it. Whether a task is handed over is decided by what is written of its execution alone; this says where to look first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, btree_map};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use roadstead_store::Key;
use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::run::lock;

/// A task that waits for a worker. What was scheduled first comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offer {
    /// When it was scheduled.
    pub given: i64,
    pub execution: Key,
    pub task: u64,
}

#[derive(Default)]
pub(crate) struct Offers {
    known: Mutex<Known>,
    closing: AtomicBool,
}

#[derive(Default)]
struct Known {
    /// By the key of the activity.
    queues: HashMap<Key, Queue>,
    /// The activity of each task that waits, or that is being handed over, and when the task was scheduled.
    activities: BTreeMap<(Key, u64), (Key, i64)>,
}

#[derive(Default)]
struct Queue {
    waiting: BTreeSet<Offer>,
    arrived: Arc<Notify>,
    polls: usize,
}

impl Known {
    fn tidy(&mut self, activity: &Key) {
        let idle = |queue: &Queue| queue.waiting.is_empty() && queue.polls == 0;
        if self.queues.get(activity).is_some_and(idle) {
            self.queues.remove(activity);
        }
    }

    fn tasks(&self, execution: &Key) -> Vec<u64> {
        let (first, last) = ((execution.clone(), 0), (execution.clone(), u64::MAX));
        let of_it = self.activities.range(first..=last);
        of_it.map(|((_, task), _)| *task).collect()
    }

    fn withdraw(&mut self, execution: &Key, task: u64) {
        let Some((activity, given)) = self.activities.remove(&(execution.clone(), task)) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&activity) {
            queue.waiting.remove(&Offer {
                given,
                execution: execution.clone(),
                task,
            });
        }
        self.tidy(&activity);
    }

    fn put(&mut self, activity: Key, offer: Offer) {
        let queue = self.queues.entry(activity).or_default();
        queue.waiting.insert(offer);
        queue.arrived.notify_one();
    }
}

impl Offers {
    /// The tasks of an execution that wait for a worker, each with the key of its activity: they and no others of it.
    pub(crate) fn set(&self, execution: &Key, wanted: Vec<(Key, Offer)>) {
        let tasks: HashSet<u64> = wanted.iter().map(|(_, offer)| offer.task).collect();
        let mut known = lock(&self.known);
        for task in known.tasks(execution) {
            if !tasks.contains(&task) {
                known.withdraw(execution, task);
            }
        }
        for (activity, offer) in wanted {
            let place = (execution.clone(), offer.task);
            if let btree_map::Entry::Vacant(vacant) = known.activities.entry(place) {
                vacant.insert((activity.clone(), offer.given));
                known.put(activity, offer);
            }
        }
    }

    /// Somebody waits for tasks of the activity.
    pub(crate) fn poll(self: &Arc<Self>, activity: &Key, most: usize) -> Result<Poll> {
        let mut known = lock(&self.known);
        let queue = known.queues.entry(activity.clone()).or_default();
        if queue.polls >= most {
            return Err(Error::TooManyPolls);
        }
        queue.polls += 1;
        Ok(Poll {
            arrived: Arc::clone(&queue.arrived),
            activity: activity.clone(),
            offers: Arc::clone(self),
        })
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Whoever waits is to be answered.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for queue in lock(&self.known).queues.values() {
            queue.arrived.notify_waiters();
        }
    }

    #[cfg(test)]
    pub(crate) fn polls(&self) -> usize {
        lock(&self.known).queues.values().map(|queue| queue.polls).sum()
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.known).activities.len()
    }
}

/// One that waits for a task.
pub(crate) struct Poll {
    /// Told of each task that comes.
    pub arrived: Arc<Notify>,
    activity: Key,
    offers: Arc<Offers>,
}

impl Poll {
    /// The task that waited longest. Nobody else gets it before this is dropped.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let mut known = lock(&self.offers.known);
        let offer = known.queues.get_mut(&self.activity)?.waiting.pop_first()?;
        Some(Claim {
            offer,
            activity: self.activity.clone(),
            offers: Arc::clone(&self.offers),
            settled: false,
        })
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut known = lock(&self.offers.known);
        if let Some(queue) = known.queues.get_mut(&self.activity) {
            queue.polls = queue.polls.saturating_sub(1);
        }
        known.tidy(&self.activity);
    }
}

/// A task that is being handed over. It waits again if this is dropped before it [was settled](Claim::settle): its worker
/// may have gone away meanwhile.
pub(crate) struct Claim {
    pub offer: Offer,
    activity: Key,
    offers: Arc<Offers>,
    settled: bool,
}

impl Claim {
    /// The task waits no more.
    pub(crate) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut known = lock(&self.offers.known);
        let place = (self.offer.execution.clone(), self.offer.task);
        if self.settled {
            known.activities.remove(&place);
        } else if known.activities.contains_key(&place) {
            known.put(self.activity.clone(), self.offer.clone());
        }
    }
}
