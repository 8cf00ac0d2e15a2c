//! Express state machines: executions that are over in five minutes and of which no step is kept. They run in memory over
//! the same core as Standard ones. Source: the developer guide, "Choosing workflow type in Step Functions".

mod bill;
mod course;
mod memory;
mod queue;
mod start;
mod sync;
mod unfit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roadstead_api_stepfunctions::StateMachineType;
use tokio::sync::watch;

use crate::Options;
use crate::error::{Error, Result};
use crate::records::Workflow;

pub(crate) use bill::Bill;
pub(crate) use course::{Course, Ended};
pub(crate) use memory::Memory;
pub(crate) use queue::{Queue, keep};
pub(crate) use start::start;
pub(crate) use sync::start_sync_execution;
pub(crate) use unfit::unfit;

/// How long an execution may take.
pub(crate) const LONGEST_MILLIS: i64 = 5 * 60_000;

impl Workflow {
    pub(crate) fn of(asked: Option<StateMachineType>) -> Self {
        match asked {
            None | Some(StateMachineType::Standard) => Self::Standard,
            Some(StateMachineType::Express) => Self::Express,
        }
    }

    pub(crate) fn shown(self) -> StateMachineType {
        match self {
            Self::Standard => StateMachineType::Standard,
            Self::Express => StateMachineType::Express,
        }
    }
}

/// The executions that are under way in memory.
pub(crate) struct Courses {
    most: usize,
    count: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

/// A place among the executions under way, given back when it is dropped.
pub(crate) struct Place {
    count: Arc<AtomicUsize>,
    /// Turns true when the service ends.
    pub stop: watch::Receiver<bool>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Courses {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            most: options.max_express,
            count: Arc::default(),
            stop: watch::Sender::new(false),
        }
    }

    pub(crate) fn enter(&self) -> Result<Place> {
        let (place, others) = self.place();
        // The place counts itself out again if it is refused.
        if others >= self.most {
            return Err(Error::Throttled(self.most));
        }
        self.open(place)
    }

    /// For those that are bounded elsewhere.
    pub(crate) fn enter_anyway(&self) -> Result<Place> {
        self.open(self.place().0)
    }

    /// A place, and how many others there were.
    fn place(&self) -> (Place, usize) {
        let place = Place {
            stop: self.stop.subscribe(),
            count: Arc::clone(&self.count),
        };
        (place, self.count.fetch_add(1, Ordering::AcqRel))
    }

    fn open(&self, place: Place) -> Result<Place> {
        match *self.stop.borrow() {
            true => Err(Error::Stopping),
            false => Ok(place),
        }
    }

    /// Turns true when the service ends, which waits for whoever has it.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Ends what is under way, where it is.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}
