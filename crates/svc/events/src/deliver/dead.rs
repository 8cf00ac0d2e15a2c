//! Dead letters: what was given up goes to the target's dead-letter queue, whole, with why as attributes of the message.
//! Source: "Using dead-letter queues to process undelivered events" in the EventBridge user guide.

use serde_json::json;

use crate::deliver::{Delivery, Failed, sqs};
use crate::records::DeadRecord;

/// Characters of what went wrong.
const MAX_MESSAGE: usize = 1024;

/// To the queue, as the service for the rule: its policy must let it in.
pub(super) async fn send(delivery: &Delivery<'_>, queue: &str, dead: &DeadRecord) -> Result<(), Failed> {
    let DeadRecord {
        code,
        message,
        exhausted,
        retries,
        at: _not_told,
    } = dead;
    let text = |text: &str| json!({"DataType": "String", "StringValue": text});
    let shown: String = message.chars().take(MAX_MESSAGE).collect();
    let mut attributes = json!({
        "RULE_ARN": text(delivery.rule_arn),
        "TARGET_ARN": text(&delivery.record.target.arn),
        "ERROR_CODE": text(code),
        "ERROR_MESSAGE": text(&shown),
        "RETRY_ATTEMPTS": {"DataType": "Number", "StringValue": retries.to_string()},
    });
    if let Some(exhausted) = exhausted {
        attributes["EXHAUSTED_RETRY_CONDITION"] = text(exhausted);
    }
    let letter = json!({"MessageBody": delivery.record.event, "MessageAttributes": attributes});
    sqs::put(delivery, &delivery.for_rule(), queue, letter).await
}
