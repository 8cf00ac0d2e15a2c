//! One execution in memory: what the machine orders is called at once, and what comes of it is taken as it comes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use roadstead_states_language::{Execution, Input, Machine, Status, Step};
use tokio::task::{AbortHandle, JoinSet};

use crate::call::{self, Acting};
use crate::error::{Error, Result};
use crate::express::{Bill, Memory, Place};
use crate::report::{Calls, Subject};
use crate::{States, report, run};

/// How long a look at the clock holds at most: it can be set while nothing happens.
const NAP: Duration = Duration::from_secs(1);

/// An execution on its way.
pub(crate) struct Course {
    pub partition: Partition,
    pub acting: Arc<Acting>,
    pub machine: Arc<Machine>,
    pub execution: Execution,
    pub subject: Subject,
}

/// How an execution ended, and when.
pub(crate) struct Ended {
    pub status: Status,
    pub at: Timestamp,
    pub bill: Bill,
}

impl Course {
    /// Runs to the end.
    ///
    /// # Errors
    /// [`Error::Stopping`] if the service ended before.
    pub(crate) async fn run(self, states: &Arc<States>, mut place: Place) -> Result<Ended> {
        let Self {
            partition,
            machine,
            acting,
            mut execution,
            subject,
        } = self;
        let (mut calls, mut memory) = (Calls::default(), Memory::default());
        // What is under way ends with them: they are dropped at the end.
        let mut flights = JoinSet::new();
        let mut handles: HashMap<u64, AbortHandle> = HashMap::new();
        let mut happened = VecDeque::from([Input::Proceed]);
        loop {
            let now = states.clock.now();
            while let Some(input) = happened.pop_front() {
                let (of, dice) = (Arc::clone(&machine), run::dice()?);
                // Users' expressions may compute for long: not where everybody's calls are served.
                let stepped = tokio::task::spawn_blocking(move || {
                    let step = execution.step(&of, input, now.0, &dice);
                    (execution, step)
                });
                let step;
                (execution, step) = stepped.await.map_err(|error| Error::Store(error.to_string()))?;
                let Step {
                    history,
                    orders,
                    cancelled,
                } = step;
                memory.follow(&machine, &history);
                states.reports.tell(&subject, &mut calls, &history);
                for task in cancelled {
                    if let Some(flight) = handles.remove(&task) {
                        flight.abort();
                    }
                }
                for order in orders {
                    let task = order.task;
                    happened.push_back(Input::TaskStarted { task, worker: None });
                    let (states, acting) = (Arc::clone(states), Arc::clone(&acting));
                    let partition = partition.clone();
                    let flight = flights
                        .spawn(async move { call::perform(&states, &partition, &acting, order).await });
                    handles.insert(task, flight);
                }
            }
            if *execution.status() != Status::Running {
                let bill = Bill::of(&subject, now, memory.used(&machine));
                report::billed(&states.reports, &subject, now, &bill);
                return Ok(Ended {
                    status: execution.status().clone(),
                    at: now,
                    bill,
                });
            }
            let due = execution.due().map_or(i64::MAX, |due| due.saturating_sub(now.0));
            let Some(wait) = u64::try_from(due).ok().filter(|wait| *wait > 0) else {
                happened.push_back(Input::Proceed);
                // A loop without waits lets others go first.
                tokio::task::yield_now().await;
                if *place.stop.borrow() {
                    return Err(Error::Stopping);
                }
                continue;
            };
            tokio::select! {
                Some(joined) = flights.join_next() => {
                    // One that was aborted is nobody's any more.
                    if let Ok(input) = joined {
                        if let Input::TaskSucceeded { task, .. } | Input::TaskFailed { task, .. } = &input {
                            handles.remove(task);
                        }
                        happened.push_back(input);
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(wait).min(NAP)) => {
                    happened.push_back(Input::Proceed);
                }
                _ = place.stop.wait_for(|stop| *stop) => return Err(Error::Stopping),
            }
        }
    }
}
