//! Tasks that were handed over and are not answered yet: those whose token somebody has. What happens to tasks is followed
//! here in what is kept beside the execution, in the step that takes it.

use roadstead_states_language::{Input, Order};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::records::ExecutionRecord;

/// A task that was handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Without its parameters.
    pub order: Order,
}

impl ExecutionRecord {
    /// Takes down what becomes of a task by what happened.
    pub(crate) fn follow(&mut self, happened: &Input) {
        match happened {
            Input::TaskSubmitted { task, output: _ } => {
                if let Some(at) = self.orders.iter().position(|order| order.task == *task) {
                    let mut order = self.orders.remove(at);
                    order.parameters = Json::Null;
                    self.jobs.push(Job { order });
                }
            }
            Input::TaskSucceeded { task, .. }
            | Input::TaskFailed { task, .. }
            | Input::TaskRefused { task, .. } => self.drop_task(*task),
            Input::TaskStarted { .. }
            | Input::Heartbeat { .. }
            | Input::Proceed
            | Input::Fail { .. }
            | Input::Stop { .. } => {}
        }
    }

    /// Nobody waits for these tasks any more.
    pub(crate) fn cancel(&mut self, tasks: &[u64]) {
        for task in tasks {
            self.drop_task(*task);
        }
    }

    fn drop_task(&mut self, task: u64) {
        self.orders.retain(|order| order.task != task);
        self.jobs.retain(|job| job.order.task != task);
    }

    /// The task of that number, whether it was handed over or is about to be.
    pub(crate) fn task(&self, task: u64) -> Option<&Order> {
        let handed_over = self.jobs.iter().map(|job| &job.order);
        self.orders
            .iter()
            .chain(handed_over)
            .find(|order| order.task == task)
    }
}

/// The task that need not be called again once this is taken.
pub(crate) fn settled(input: &Input) -> Option<u64> {
    match input {
        Input::TaskSubmitted { task, .. }
        | Input::TaskSucceeded { task, .. }
        | Input::TaskFailed { task, .. }
        | Input::TaskRefused { task, .. } => Some(*task),
        _ => None,
    }
}
