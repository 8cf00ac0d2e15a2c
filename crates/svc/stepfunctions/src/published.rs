//! What executions tell the default event bus, in the transaction that makes the change. Source: the developer guide,
//! "Events delivered to EventBridge from Step Functions".

use roadstead_base::{Partition, Timestamp};
use roadstead_outbox::{Event, Source};
use roadstead_states_language::{Failure, Status};
use serde_json::{Value as Json, json};

use crate::executions::status;
use crate::names::{execution_arn, machine_arn};
use crate::records::ExecutionRecord;

/// Bytes of input and output together; what is larger is left out, and said to be.
const MOST: usize = 248 * 1024;
/// An execution begins, and ends once.
const BEGAN: u64 = 1;
const ENDED: u64 = 2;

/// An execution began, or ended.
pub(crate) fn status_change(partition: &Partition, record: &ExecutionRecord, at: Timestamp) -> Event {
    let arn = execution_arn(partition, &record.machine, &record.name);
    let (mut output, mut error, mut cause) = (None, None, None);
    match record.execution.status() {
        Status::Running | Status::TimedOut => {}
        Status::Succeeded { output: given } => output = Some(given.to_string()),
        Status::Failed {
            failure:
                Failure {
                    error: named,
                    cause: why,
                    ..
                },
        } => {
            error = Some(named.clone());
            cause = Some(why.clone());
        }
        Status::Aborted {
            error: named,
            cause: why,
        } => {
            error.clone_from(named);
            cause.clone_from(why);
        }
    }
    let size = record.input.len() + output.as_ref().map_or(0, String::len);
    let included = size <= MOST;
    let details = || json!({"included": included});
    let millis = |at: Timestamp| Json::from(at.0);
    let detail = json!({
        "executionArn": arn,
        "stateMachineArn": machine_arn(partition, &record.machine),
        "name": record.name,
        "status": status(record.execution.status()).as_str(),
        "startDate": millis(record.started),
        "stopDate": record.stopped.map(millis),
        "stateMachineVersionArn": record.version_arn(partition),
        "redriveCount": record.redrive_count(),
        "redriveDate": record.redriven().map(millis),
        "stateMachineAliasArn": record.alias_arn(partition),
        "input": included.then_some(&record.input),
        "inputDetails": details(),
        "outputDetails": output.is_some().then(details),
        "output": output.filter(|_| included),
        "error": error,
        "cause": cause,
    });
    Event {
        partition: partition.clone(),
        source: Source::States,
        detail_type: "Step Functions Execution Status Change".to_owned(),
        subject: arn,
        // It begins, and ends, once more with each redrive.
        number: u64::try_from(record.redrive_count()).unwrap_or_default() * ENDED
            + if record.stopped.is_none() { BEGAN } else { ENDED },
        at,
        detail,
    }
}
