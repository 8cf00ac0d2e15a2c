//! How executions began and ended. Source: "Execution metrics" in the developer guide, by which each is told of the account,
//! of the machine, and of the version and the alias that an execution was started from. Nothing here throttles transitions,
//! so there is no `ExecutionThrottled`.

use roadstead_base::Timestamp;
use roadstead_states_language::{History, HistoryEvent};

use crate::express::Bill;
use crate::names::machine_arn;
use crate::report::counts::{Counts, Dimensions};
use crate::report::{Reports, Subject};

const STARTED: &str = "ExecutionsStarted";

/// The sets of dimensions, the one without any included.
fn sets(subject: &Subject) -> Vec<Dimensions> {
    let machine = of_machine(subject);
    let with = |name: &'static str, value: String| [machine.clone(), vec![(name, value)]].concat();
    let version = subject
        .origin
        .version
        .map(|version| with("Version", version.to_string()));
    let alias = subject
        .origin
        .alias
        .as_ref()
        .map(|alias| with("Alias", alias.clone()));
    [Vec::new(), machine.clone()]
        .into_iter()
        .chain(version)
        .chain(alias)
        .collect()
}

fn of_machine(subject: &Subject) -> Dimensions {
    vec![(
        "StateMachineArn",
        machine_arn(&subject.partition, &subject.machine),
    )]
}

pub(super) fn count(counts: &Counts, subject: &Subject, event: &HistoryEvent) {
    let (metric, redriven) = match &event.what {
        History::ExecutionStarted { .. } => (STARTED, None),
        History::ExecutionRedriven { .. } => ("ExecutionsRedriven", None),
        History::ExecutionSucceeded { .. } => ("ExecutionsSucceeded", Some("RedrivenExecutionsSucceeded")),
        History::ExecutionFailed { .. } => ("ExecutionsFailed", Some("RedrivenExecutionsFailed")),
        History::ExecutionAborted { .. } => ("ExecutionsAborted", Some("RedrivenExecutionsAborted")),
        History::ExecutionTimedOut => ("ExecutionsTimedOut", Some("RedrivenExecutionsTimedOut")),
        _ => return,
    };
    let sets = sets(subject);
    let add = |metric: &'static str, value: i64| {
        for dimensions in &sets {
            let at = Timestamp(event.at);
            counts.add(&subject.partition, dimensions.clone(), metric, value, at);
        }
    };
    add(metric, 1);
    if let Some(redriven) = redriven {
        if subject.redrives > 0 {
            add(redriven, 1);
        }
        add("ExecutionTime", event.at.saturating_sub(subject.started.0));
        // The documented second sample of each execution.
        add(STARTED, 0);
    }
}

/// What an Express execution took, in bytes, and is billed for. Source: "Execution metrics for Express Workflows".
pub(crate) fn billed(reports: &Reports, subject: &Subject, at: Timestamp, bill: &Bill) {
    let counts = &reports.counts;
    let machine = of_machine(subject);
    counts.add(
        &subject.partition,
        machine.clone(),
        "ExpressExecutionMemory",
        bill.used,
        at,
    );
    for dimensions in [Vec::new(), machine] {
        for (metric, value) in [
            ("ExpressExecutionBilledDuration", bill.millis),
            ("ExpressExecutionBilledMemory", bill.megabytes),
        ] {
            counts.add(&subject.partition, dimensions.clone(), metric, value, at);
        }
    }
}
