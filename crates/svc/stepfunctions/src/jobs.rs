//! Tasks that were handed over and are not answered yet: those whose token somebody
//! has, workers of activities among them, and jobs (`.sync`) that are looked at until they are done. What happens to tasks is followed
//! here in what is kept beside the execution, in the step that takes it.

use roadstead_states_language::{Failure, Input, Order, Pattern, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::records::ExecutionRecord;

/// A task that was handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Without its parameters, if it was handed over.
    pub order: Order,
    /// What was started and is waited for.
    #[serde(default)]
    pub reference: Option<Reference>,
}

/// What a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reference {
    Task { cluster: String, arn: String },
    Execution { arn: String },
}

/// What happened to an execution.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    /// As the execution takes it.
    Told(Input),
    /// A job could not be looked at, and may be running still. Its task fails.
    OutOfSight { task: u64, failure: Failure },
}

impl From<Input> for Happened {
    fn from(input: Input) -> Self {
        Self::Told(input)
    }
}

impl From<Happened> for Input {
    fn from(happened: Happened) -> Self {
        match happened {
            Happened::Told(input) => input,
            Happened::OutOfSight { task, failure } => Self::TaskFailed { task, failure },
        }
    }
}

/// Whether the end of what it starts is waited for.
pub(crate) fn is_job(order: &Order) -> bool {
    matches!(
        &order.resource,
        Resource::Integration {
            pattern: Pattern::Sync | Pattern::SyncAsJson,
            ..
        }
    )
}

/// Whether it waits for a worker that polls for it, and is not called.
pub(crate) fn is_polled(order: &Order) -> bool {
    matches!(&order.resource, Resource::Activity { .. })
}

/// What a job was started as, by the answer.
pub(crate) fn reference(order: &Order, output: &Json) -> Option<Reference> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    if !is_job(order) {
        return None;
    }
    match text(&output["ExecutionArn"]) {
        Some(arn) => Some(Reference::Execution { arn }),
        None => Some(Reference::Task {
            cluster: text(&output["Tasks"][0]["ClusterArn"])?,
            arn: text(&output["Tasks"][0]["TaskArn"])?,
        }),
    }
}

impl ExecutionRecord {
    /// Takes down what becomes of a task by what happened.
    pub(crate) fn follow(&mut self, happened: &Happened) {
        let input = match happened {
            Happened::Told(input) => input,
            // Another try would start a second one beside it.
            Happened::OutOfSight { task, .. } => return self.cancel(&[*task]),
        };
        match input {
            Input::TaskSubmitted { task, output } => {
                if let Some(at) = self.orders.iter().position(|order| order.task == *task) {
                    self.hand_over(at, Some(output));
                }
            }
            Input::TaskSucceeded { task, .. }
            | Input::TaskFailed { task, .. }
            | Input::TaskRefused { task, .. } => self.drop_task(*task),
            // A worker has it.
            Input::TaskStarted { task, worker: _ } => {
                let polled = |order: &Order| order.task == *task && is_polled(order);
                if let Some(at) = self.orders.iter().position(polled) {
                    self.hand_over(at, None);
                }
            }
            Input::Heartbeat { .. } | Input::Proceed | Input::Fail { .. } | Input::Stop { .. } => {}
        }
    }

    /// The order at that place was taken up; `output`: what its call was answered.
    fn hand_over(&mut self, at: usize, output: Option<&Json>) {
        let mut order = self.orders.remove(at);
        order.parameters = Json::Null;
        let reference = output.and_then(|output| reference(&order, output));
        self.jobs.push(Job { order, reference });
    }

    /// The worker that the task was handed over to never learned of it, so that it waits for another. False if it was ended
    /// meanwhile.
    pub(crate) fn take_back(&mut self, order: &Order) -> bool {
        let own = |job: &Job| job.order.task == order.task && job.order.token == order.token;
        let Some(at) = self.jobs.iter().position(own) else {
            return false;
        };
        self.jobs.remove(at);
        self.orders.push(order.clone());
        true
    }

    /// Nobody waits for these tasks any more: jobs among them are to be stopped, also one that is just being started.
    pub(crate) fn cancel(&mut self, tasks: &[u64]) {
        for task in tasks {
            let being_started = self.orders.iter().map(|order| Job {
                order: order.clone(),
                reference: None,
            });
            let of = being_started
                .chain(self.jobs.iter().cloned())
                .find(|job| job.order.task == *task && is_job(&job.order));
            self.ending.extend(of);
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
pub(crate) fn settled(happened: &Happened) -> Option<u64> {
    match happened {
        Happened::OutOfSight { task, .. }
        | Happened::Told(
            Input::TaskSubmitted { task, .. }
            | Input::TaskSucceeded { task, .. }
            | Input::TaskFailed { task, .. }
            | Input::TaskRefused { task, .. },
        ) => Some(*task),
        _ => None,
    }
}
