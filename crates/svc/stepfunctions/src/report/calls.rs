//! How often functions, activities and services were called by tasks, and how long that took. An event of a call says
//! neither whom it was of nor since when, so calls that are under way are remembered by the event that the next one names.
//! Sources: "Activity metrics", "Lambda function metrics" and "Service integration metrics" in the developer guide.

use std::collections::HashMap;

use roadstead_base::Timestamp;
use roadstead_states_language::{Called, History, HistoryEvent, names as errors};

use crate::report::Subject;
use crate::report::counts::{Counts, Dimension};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Function,
    Activity,
    Service,
}

/// What happens to calls, in the order of [`Kind::metric`].
#[derive(Clone, Copy)]
enum Count {
    Scheduled,
    Started,
    Succeeded,
    Failed,
    TimedOut,
    HeartbeatTimedOut,
}

/// From being scheduled to being started, from there to the end, and from the one to the other.
#[derive(Clone, Copy)]
enum Span {
    Schedule,
    Run,
    Whole,
}

impl Kind {
    fn of(called: &Called) -> Self {
        match called {
            Called::Function => Self::Function,
            Called::Activity => Self::Activity,
            Called::Task { .. } => Self::Service,
        }
    }

    fn dimension(self) -> &'static str {
        match self {
            Self::Function => "LambdaFunctionArn",
            Self::Activity => "ActivityArn",
            Self::Service => "ServiceIntegrationResourceArn",
        }
    }

    fn metric(self, count: Count) -> &'static str {
        const OF: [[&str; 6]; 3] = [
            [
                "LambdaFunctionsScheduled",
                "LambdaFunctionsStarted",
                "LambdaFunctionsSucceeded",
                "LambdaFunctionsFailed",
                "LambdaFunctionsTimedOut",
                "LambdaFunctionsTimedOut",
            ],
            [
                "ActivitiesScheduled",
                "ActivitiesStarted",
                "ActivitiesSucceeded",
                "ActivitiesFailed",
                "ActivitiesTimedOut",
                "ActivitiesHeartbeatTimedOut",
            ],
            [
                "ServiceIntegrationsScheduled",
                "ServiceIntegrationsStarted",
                "ServiceIntegrationsSucceeded",
                "ServiceIntegrationsFailed",
                "ServiceIntegrationsTimedOut",
                "ServiceIntegrationsTimedOut",
            ],
        ];
        OF[self as usize][count as usize]
    }

    fn span(self, span: Span) -> &'static str {
        const OF: [[&str; 3]; 3] = [
            [
                "LambdaFunctionScheduleTime",
                "LambdaFunctionRunTime",
                "LambdaFunctionTime",
            ],
            ["ActivityScheduleTime", "ActivityRunTime", "ActivityTime"],
            [
                "ServiceIntegrationScheduleTime",
                "ServiceIntegrationRunTime",
                "ServiceIntegrationTime",
            ],
        ];
        OF[self as usize][span as usize]
    }
}

#[derive(Debug)]
struct Call {
    kind: Kind,
    arn: String,
    scheduled: i64,
    started: Option<i64>,
}

/// The calls of an execution that are under way, by the last event of each.
#[derive(Debug, Default)]
pub(crate) struct Calls(HashMap<u64, Call>);

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an event goes on with a call that an event before it began.
    pub(super) fn continues(what: &History) -> bool {
        matches!(
            what,
            History::TaskStarted { .. }
                | History::TaskRefused { .. }
                | History::TaskSubmitted { .. }
                | History::TaskSucceeded { .. }
                | History::TaskFailed { .. }
                | History::TaskTimedOut { .. }
        )
    }

    /// Whether an event is of a call that is not remembered.
    pub(super) fn misses(&self, event: &HistoryEvent) -> bool {
        Self::continues(&event.what) && !self.0.contains_key(&event.previous)
    }

    /// Takes an event, and says what is to be counted.
    pub(super) fn follow(&mut self, event: &HistoryEvent, mut add: impl FnMut(Dimension, &'static str, i64)) {
        let at = event.at;
        if let History::TaskScheduled { called, arn, .. } = &event.what {
            let call = Call {
                kind: Kind::of(called),
                arn: arn.clone(),
                scheduled: at,
                started: None,
            };
            add(call.dimension(), call.kind.metric(Count::Scheduled), 1);
            self.0.insert(event.id, call);
            return;
        }
        let end = match &event.what {
            History::TaskStarted { .. } | History::TaskSubmitted { .. } => None,
            History::TaskSucceeded { .. } => Some(Count::Succeeded),
            History::TaskRefused { .. } | History::TaskFailed { .. } => Some(Count::Failed),
            History::TaskTimedOut { failure, .. } if failure.error == errors::HEARTBEAT_TIMEOUT => {
                Some(Count::HeartbeatTimedOut)
            }
            History::TaskTimedOut { .. } => Some(Count::TimedOut),
            _ => return,
        };
        let Some(mut call) = self.0.remove(&event.previous) else {
            return;
        };
        if let Some(end) = end {
            add(call.dimension(), call.kind.metric(end), 1);
            add(call.dimension(), call.kind.span(Span::Whole), at - call.scheduled);
            if let Some(started) = call.started {
                add(call.dimension(), call.kind.span(Span::Run), at - started);
            }
            return;
        }
        if matches!(event.what, History::TaskStarted { .. }) {
            add(call.dimension(), call.kind.metric(Count::Started), 1);
            add(
                call.dimension(),
                call.kind.span(Span::Schedule),
                at - call.scheduled,
            );
            call.started = Some(at);
        }
        self.0.insert(event.id, call);
    }
}

impl Call {
    fn dimension(&self) -> Dimension {
        (self.kind.dimension(), self.arn.clone())
    }
}

/// Activities are told of the account too.
pub(super) fn count(
    counts: &Counts,
    subject: &Subject,
    at: i64,
    dimension: Dimension,
    metric: &'static str,
    value: i64,
) {
    let at = Timestamp(at);
    if dimension.0 == Kind::Activity.dimension() {
        counts.add(&subject.partition, Vec::new(), metric, value, at);
    }
    counts.add(&subject.partition, vec![dimension], metric, value, at);
}

#[cfg(test)]
mod tests {
    use roadstead_states_language::Failure;
    use serde_json::Value as Json;

    use super::*;

    const ARN: &str = "arn:x";

    fn scheduled(called: Called) -> History {
        History::TaskScheduled {
            called,
            arn: ARN.to_owned(),
            parameters: Json::Null,
            timeout: None,
            heartbeat: None,
            credentials: None,
        }
    }

    /// What comes of a call whose events are 10 ms apart.
    fn counted(events: Vec<History>) -> Vec<(&'static str, i64)> {
        let (mut calls, mut counted) = (Calls::default(), Vec::new());
        for (id, what) in (1..).zip(events) {
            let event = HistoryEvent {
                id,
                previous: id - 1,
                at: 10 * i64::try_from(id).expect("few"),
                what,
            };
            assert!(!calls.misses(&event), "{event:?}");
            calls.follow(&event, |(_, arn), metric, value| {
                assert_eq!(arn, ARN);
                counted.push((metric, value));
            });
        }
        assert!(calls.is_empty(), "{calls:?}");
        counted
    }

    #[test]
    fn each_end_of_a_call_is_counted_with_its_times() {
        let called = || Called::Task {
            resource_type: "ecs".to_owned(),
            resource: "runTask.sync".to_owned(),
        };
        let failure = |error: &str| Failure::new(error, "");
        let started = |called| History::TaskStarted { called, worker: None };
        let job = counted(vec![
            scheduled(called()),
            started(called()),
            History::TaskSubmitted {
                called: called(),
                output: Json::Null,
            },
            History::TaskSucceeded {
                called: called(),
                output: Json::Null,
            },
        ]);
        let begun = [
            ("ServiceIntegrationsScheduled", 1),
            ("ServiceIntegrationsStarted", 1),
            ("ServiceIntegrationScheduleTime", 10),
        ];
        assert_eq!(job[..3], begun);
        let ended = [
            ("ServiceIntegrationsSucceeded", 1),
            ("ServiceIntegrationTime", 30),
            ("ServiceIntegrationRunTime", 20),
        ];
        assert_eq!(job[3..], ended);
        let refused = counted(vec![
            scheduled(called()),
            started(called()),
            History::TaskRefused {
                called: called(),
                failure: failure("E"),
            },
        ]);
        assert_eq!(refused[3], ("ServiceIntegrationsFailed", 1));
        for (called, error, metric, time) in [
            (
                Called::Activity,
                errors::HEARTBEAT_TIMEOUT,
                "ActivitiesHeartbeatTimedOut",
                "ActivityTime",
            ),
            (
                Called::Activity,
                errors::TIMEOUT,
                "ActivitiesTimedOut",
                "ActivityTime",
            ),
            (
                Called::Function,
                errors::HEARTBEAT_TIMEOUT,
                "LambdaFunctionsTimedOut",
                "LambdaFunctionTime",
            ),
        ] {
            let lone = counted(vec![
                scheduled(called.clone()),
                History::TaskTimedOut {
                    called,
                    failure: failure(error),
                },
            ]);
            // What never started did not run.
            assert_eq!(lone[1..], [(metric, 1), (time, 10)]);
        }
    }
}
