//! What a state machine's executions are logged of, and where. Sources: `LoggingConfiguration` of the API reference; "Log
//! levels for Step Functions execution events" and "IAM Policies for logging to CloudWatch Logs" in the developer guide.

use roadstead_api_stepfunctions::{CloudWatchLogsLogGroup, LogDestination, LogLevel, LoggingConfiguration};
use roadstead_base::{Arn, Ctx, Partition};
use roadstead_dispatch::Keys;
use roadstead_states_language::History;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Result};
use crate::{PRINCIPAL, States, call};

/// What the role must be allowed, of all resources, for logs of its machine to be delivered. Those that only later changes of
/// a delivery need are not asked for.
const ACTIONS: [&str; 4] = [
    "logs:CreateLogDelivery",
    "logs:DescribeResourcePolicies",
    "logs:PutResourcePolicy",
    "logs:DescribeLogGroups",
];

/// Each takes what those before it take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Level {
    #[default]
    Off,
    Fatal,
    Error,
    All,
}

impl Level {
    pub(crate) fn takes(self, what: &History) -> bool {
        if matches!(self, Self::Off | Self::All) {
            return self == Self::All;
        }
        let kind = what.type_name();
        let failed = ["Failed", "TimedOut", "Aborted"]
            .iter()
            .any(|end| kind.ends_with(end));
        let lowest = match (kind.starts_with("Execution"), failed) {
            (true, true) => Self::Fatal,
            (false, true) => Self::Error,
            _ if kind == "FailStateEntered" => Self::Error,
            _ => Self::All,
        };
        lowest <= self
    }

    fn of(asked: Option<LogLevel>) -> Self {
        match asked {
            None | Some(LogLevel::Off) => Self::Off,
            Some(LogLevel::Fatal) => Self::Fatal,
            Some(LogLevel::Error) => Self::Error,
            Some(LogLevel::All) => Self::All,
        }
    }

    fn shown(self) -> LogLevel {
        match self {
            Self::Off => LogLevel::Off,
            Self::Fatal => LogLevel::Fatal,
            Self::Error => LogLevel::Error,
            Self::All => LogLevel::All,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logging {
    pub level: Level,
    /// Whether inputs and outputs are told.
    pub data: bool,
    /// The ARN of the log group, as it was given.
    pub destination: Option<String>,
}

impl Logging {
    /// As it was asked for.
    ///
    /// # Errors
    /// It is none that could be.
    pub(crate) fn of(ctx: &Ctx, asked: LoggingConfiguration) -> Result<Self> {
        let LoggingConfiguration {
            destinations,
            include_execution_data,
            level,
        } = asked;
        let level = Level::of(level);
        let mut destinations = destinations.unwrap_or_default().into_iter();
        let destination = match (destinations.next(), destinations.next()) {
            (None, _) if level == Level::Off => None,
            (Some(destination), None) => Some(group_arn(ctx, destination)?),
            _ => return Err(invalid("Must specify exactly one Log Destination.")),
        };
        Ok(Self {
            level,
            data: include_execution_data == Some(true),
            destination,
        })
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn shown(&self) -> LoggingConfiguration {
        let destination = |arn: &String| LogDestination {
            cloud_watch_logs_log_group: Some(CloudWatchLogsLogGroup {
                log_group_arn: Some(arn.clone()),
            }),
        };
        LoggingConfiguration {
            destinations: self.destination.as_ref().map(|arn| vec![destination(arn)]),
            include_execution_data: Some(self.data),
            level: Some(self.level.shown()),
        }
    }

    /// The name of the log group that events go to, if any do.
    pub(crate) fn group(&self) -> Option<&str> {
        let arn = self.destination.as_deref().filter(|_| self.level != Level::Off)?;
        name(arn)
    }
}

fn invalid(what: impl Into<String>) -> Error {
    Error::InvalidLogging(what.into())
}

fn name(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":log-group:")?;
    name.strip_suffix(":*")
        .filter(|name| !name.is_empty() && !name.contains(':'))
}

/// The ARN of a log group of the caller's own account and region, which ends in `:*`.
fn group_arn(ctx: &Ctx, destination: LogDestination) -> Result<String> {
    let LogDestination {
        cloud_watch_logs_log_group: group,
    } = destination;
    let arn = group.and_then(|CloudWatchLogsLogGroup { log_group_arn }| log_group_arn);
    let arn = arn.ok_or_else(|| invalid("Must set valid CloudWatch Log Group ARN."))?;
    let parsed = arn.parse::<Arn>().ok();
    let parsed =
        parsed.filter(|parsed| parsed.service == "logs" && parsed.resource.starts_with("log-group:"));
    let parsed = parsed.ok_or_else(|| invalid("Provided ARN is not CloudWatch Logs Log Group ARN."))?;
    if !arn.ends_with(":*") {
        return Err(invalid("Log Group ARN must be provided with '*' qualifier."));
    }
    if name(&arn).is_none() {
        return Err(invalid("Provided ARN is not CloudWatch Logs Log Group ARN."));
    }
    if parsed.account != ctx.account.as_str() || parsed.region != ctx.region.as_str() {
        return Err(invalid(format!(
            "The log group of '{arn}' is not of this account and region."
        )));
    }
    Ok(arn)
}

impl States {
    /// Refuses what could never be logged: as a role that may not, or to a log group that is not there.
    pub(crate) async fn loggable(
        &self,
        partition: &Partition,
        machine: &str,
        role: &str,
        logging: &Logging,
    ) -> Result<()> {
        let Some(group) = logging.group() else {
            return Ok(());
        };
        let role = call::act(self, partition, machine, role, "create").map_err(|_| Error::RoleNotTrusted)?;
        for action in ACTIONS {
            self.dispatcher
                .decide(&role, action, "*", &Keys::default(), None)
                .map_err(|_| Error::LogDestinationDenied)?;
        }
        let Partition { account, region } = partition;
        let own = self
            .dispatcher
            .internal_ctx(PRINCIPAL, account.clone(), region.clone());
        let input = json!({"logGroupNamePrefix": group});
        let found = self
            .dispatcher
            .call_json("logs", "DescribeLogGroups", &own, input)
            .await
            .map_err(|error| match error.is_transient() {
                true => Error::Unreachable(error.to_string()),
                false => invalid(error.message),
            })?;
        // The one that is called so comes before those that begin so.
        match found["logGroups"][0]["logGroupName"] == group {
            true => Ok(()),
            false => Err(invalid(format!("The log group '{group}' does not exist."))),
        }
    }
}

#[cfg(test)]
mod tests {
    use roadstead_states_language::{Called, Failure};
    use serde_json::{Map, Value as Json};

    use super::*;

    /// The documented table, row by row.
    #[test]
    fn each_level_takes_what_is_worse() {
        let failure = || Failure::new("E", "C");
        let state = |kind: &str| kind.to_owned();
        let task = || Called::Task {
            resource_type: "ecs".to_owned(),
            resource: "runTask".to_owned(),
        };
        let (name, input, index) = (|| "S".to_owned(), Json::Null, 0);
        let entered = |kind: &str| History::StateEntered {
            kind: state(kind),
            name: name(),
            input: input.clone(),
        };
        let exited = |kind: &str| History::StateExited {
            kind: state(kind),
            name: name(),
            output: Json::Null,
            assigned: Map::new(),
        };
        let scheduled = |called| History::TaskScheduled {
            called,
            arn: String::new(),
            parameters: Json::Null,
            timeout: None,
            heartbeat: None,
            credentials: None,
        };
        let mut cases = vec![
            (
                History::ExecutionAborted {
                    error: None,
                    cause: None,
                },
                "ExecutionAborted",
                Level::Fatal,
            ),
            (
                History::ExecutionFailed { failure: failure() },
                "ExecutionFailed",
                Level::Fatal,
            ),
            (History::ExecutionTimedOut, "ExecutionTimedOut", Level::Fatal),
            (
                History::ExecutionStarted { input: Json::Null },
                "ExecutionStarted",
                Level::All,
            ),
            (
                History::ExecutionSucceeded { output: Json::Null },
                "ExecutionSucceeded",
                Level::All,
            ),
            (
                History::ExecutionRedriven { count: 1 },
                "ExecutionRedriven",
                Level::All,
            ),
            (entered("Fail"), "FailStateEntered", Level::Error),
            (
                History::IterationAborted { name: name(), index },
                "MapIterationAborted",
                Level::Error,
            ),
            (
                History::IterationFailed { name: name(), index },
                "MapIterationFailed",
                Level::Error,
            ),
            (
                History::IterationStarted { name: name(), index },
                "MapIterationStarted",
                Level::All,
            ),
            (
                History::IterationSucceeded { name: name(), index },
                "MapIterationSucceeded",
                Level::All,
            ),
            (
                History::StateAborted { kind: state("Wait") },
                "WaitStateAborted",
                Level::Error,
            ),
            (
                History::StateAborted { kind: state("Task") },
                "TaskStateAborted",
                Level::Error,
            ),
            (
                History::StateFailed {
                    kind: state("Parallel"),
                },
                "ParallelStateFailed",
                Level::Error,
            ),
            (
                History::StateStarted {
                    kind: state("Map"),
                    length: None,
                },
                "MapStateStarted",
                Level::All,
            ),
            (
                History::StateSucceeded { kind: state("Map") },
                "MapStateSucceeded",
                Level::All,
            ),
            (scheduled(Called::Function), "LambdaFunctionScheduled", Level::All),
            (scheduled(task()), "TaskScheduled", Level::All),
            (
                History::TaskStarted {
                    called: task(),
                    worker: None,
                },
                "TaskStarted",
                Level::All,
            ),
            (
                History::TaskRefused {
                    called: task(),
                    failure: failure(),
                },
                "TaskSubmitFailed",
                Level::Error,
            ),
            (
                History::TaskRefused {
                    called: Called::Function,
                    failure: failure(),
                },
                "LambdaFunctionScheduleFailed",
                Level::Error,
            ),
            (
                History::TaskSubmitted {
                    called: task(),
                    output: Json::Null,
                },
                "TaskSubmitted",
                Level::All,
            ),
            (
                History::TaskSucceeded {
                    called: task(),
                    output: Json::Null,
                },
                "TaskSucceeded",
                Level::All,
            ),
            (
                History::TaskFailed {
                    called: task(),
                    failure: failure(),
                },
                "TaskFailed",
                Level::Error,
            ),
            (
                History::TaskTimedOut {
                    called: Called::Function,
                    failure: failure(),
                },
                "LambdaFunctionTimedOut",
                Level::Error,
            ),
            (
                History::EvaluationFailed {
                    state: name(),
                    failure: failure(),
                },
                "EvaluationFailed",
                Level::Error,
            ),
        ];
        let all = ["Choice", "Map", "Parallel", "Pass", "Succeed", "Task", "Wait"];
        let names: Vec<(String, String)> = all
            .iter()
            .map(|kind| (format!("{kind}StateEntered"), format!("{kind}StateExited")))
            .collect();
        for (kind, (enters, exits)) in all.iter().zip(&names) {
            cases.push((entered(kind), enters, Level::All));
            cases.push((exited(kind), exits, Level::All));
        }
        for (what, name, lowest) in cases {
            assert_eq!(what.type_name(), name);
            for level in [Level::Off, Level::Fatal, Level::Error, Level::All] {
                assert_eq!(level.takes(&what), level >= lowest, "{name} at {level:?}");
            }
        }
    }
}
