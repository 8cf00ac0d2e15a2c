//! The record of an asynchronous invocation, as destinations get it.
//! Source: "Capturing records of Lambda asynchronous invocations" in the developer guide.

use roadstead_base::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};

/// Bytes. No destination takes more.
const MOST: usize = 1024 * 1024;
/// Bytes of a message of a topic.
const MOST_OF_TOPIC: usize = 256 * 1024;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    ZeroReservedConcurrency,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// What the last attempt came to, where the code ran.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub version: String,
    pub payload: String,
    pub failed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Invoked<'a> {
    pub at: Timestamp,
    pub request_id: &'a str,
    /// With a qualifier.
    pub function_arn: String,
    pub condition: Condition,
    /// How often the code ran.
    pub runs: u32,
    pub payload: &'a str,
    pub response: Option<&'a Response>,
}

/// The record as JSON; none: it is too large. Of a failure, a topic gets it without the payloads then, as documented.
pub(super) fn text(invoked: &Invoked<'_>, target: &str) -> Option<String> {
    let whole = record(invoked, true);
    let topic = target.split(':').nth(2) == Some("sns");
    if topic && whole.len() > MOST_OF_TOPIC && invoked.condition != Condition::Success {
        return Some(record(invoked, false));
    }
    let most = if topic { MOST_OF_TOPIC } else { MOST };
    (whole.len() <= most).then_some(whole)
}

fn record(invoked: &Invoked<'_>, payloads: bool) -> String {
    let Invoked {
        at,
        request_id,
        function_arn,
        condition,
        runs,
        payload,
        response,
    } = invoked;
    let context = json!({
        "requestId": request_id,
        "functionArn": function_arn,
        "condition": condition.name(),
        "approximateInvokeCount": runs,
    });
    let mut members = vec![
        ("version", json!("1.0").to_string()),
        ("timestamp", json!(at.to_rfc3339()).to_string()),
        ("requestContext", context.to_string()),
    ];
    if payloads {
        members.push(("requestPayload", as_it_is(payload)));
    }
    if let Some(Response {
        version,
        payload,
        failed,
    }) = response
    {
        let mut context = json!({"statusCode": 200, "executedVersion": version});
        if *failed {
            context["functionError"] = json!("Unhandled");
        }
        members.push(("responseContext", context.to_string()));
        if payloads {
            members.push(("responsePayload", as_it_is(payload)));
        }
    }
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// JSON to the letter, numbers of any size included; what is none is a text.
fn as_it_is(text: &str) -> String {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => Json::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

    fn invoked<'a>(payload: &'a str, condition: Condition, response: Option<&'a Response>) -> Invoked<'a> {
        Invoked {
            at: Timestamp(1_700_000_000_000),
            request_id: "r",
            function_arn: "arn:f:$LATEST".into(),
            condition,
            runs: 3,
            payload,
            response,
        }
    }

    fn parsed(invoked: &Invoked<'_>, target: &str) -> Json {
        serde_json::from_str(&text(invoked, target).expect("small enough")).expect("JSON")
    }

    #[test]
    fn a_record_says_what_was_asked_and_what_came_of_it() {
        let failed = Response {
            version: "$LATEST".into(),
            payload: r#"{"errorMessage": "no"}"#.into(),
            failed: true,
        };
        let of_failure = invoked("[1]", Condition::RetriesExhausted, Some(&failed));
        assert_eq!(
            parsed(&of_failure, QUEUE),
            json!({
                "version": "1.0",
                "timestamp": "2023-11-14T22:13:20.000Z",
                "requestContext": {
                    "requestId": "r", "functionArn": "arn:f:$LATEST", "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                },
                "requestPayload": [1],
                "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
                "responsePayload": {"errorMessage": "no"},
            })
        );
        let well = Response {
            version: "7".into(),
            payload: "no JSON".into(),
            failed: false,
        };
        let of_success = parsed(&invoked("null", Condition::Success, Some(&well)), QUEUE);
        assert_eq!(
            of_success["responseContext"],
            json!({"statusCode": 200, "executedVersion": "7"})
        );
        assert_eq!(of_success["responsePayload"], "no JSON");
        let exact = invoked("123456789012345678901234567890", Condition::Success, None);
        let exact = text(&exact, QUEUE).expect("small enough");
        assert!(
            exact.contains("\"requestPayload\":123456789012345678901234567890"),
            "{exact}"
        );
        for (condition, name) in [
            (Condition::EventAgeExceeded, "EventAgeExceeded"),
            (Condition::ZeroReservedConcurrency, "ZeroReservedConcurrency"),
        ] {
            let record = parsed(&invoked("null", condition, None), QUEUE);
            assert_eq!(record["requestContext"]["condition"], name);
            assert_eq!(
                (record.get("responseContext"), record.get("responsePayload")),
                (None, None)
            );
        }
    }

    #[test]
    fn what_is_too_large_goes_without_payloads_to_topics_and_nowhere_else() {
        let of = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
        let (large, larger) = (of(300 * 1024), of(1024 * 1024));
        for (payload, condition, target, expected) in [
            (&large, Condition::RetriesExhausted, QUEUE, Some(true)),
            (&large, Condition::RetriesExhausted, TOPIC, Some(false)),
            (&large, Condition::Success, TOPIC, None),
            (&larger, Condition::Success, QUEUE, None),
            (&larger, Condition::RetriesExhausted, QUEUE, None),
            (&larger, Condition::RetriesExhausted, TOPIC, Some(false)),
        ] {
            let record = text(&invoked(payload, condition, None), target);
            let with_payload = record.map(|text| text.contains("requestPayload"));
            assert_eq!(
                with_payload,
                expected,
                "{} bytes, {condition:?}, {target}",
                payload.len()
            );
        }
    }
}
