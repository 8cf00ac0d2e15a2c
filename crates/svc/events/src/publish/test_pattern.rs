//! TestEventPattern. The event must have what every event has.

use roadstead_api_events::{TestEventPatternRequest, TestEventPatternResponse};
use roadstead_patterns::Pattern;
use serde_json::Value as Json;

use crate::error::{Error, Result};

/// As documented, "the following fields are mandatory".
const MANDATORY: [&str; 7] = [
    "id",
    "account",
    "source",
    "time",
    "region",
    "resources",
    "detail-type",
];

pub(crate) fn test_event_pattern(input: TestEventPatternRequest) -> Result<TestEventPatternResponse> {
    let TestEventPatternRequest { event, event_pattern } = input;
    let pattern: Pattern = event_pattern.parse()?;
    let event: Json = serde_json::from_str(&event).map_err(|error| {
        Error::invalid(format!(
            "Parameter Event is not valid. Reason: it is no JSON: {error}"
        ))
    })?;
    for field in MANDATORY {
        if event.get(field).is_none() {
            return Err(Error::invalid(format!(
                "Parameter Event is not valid. Reason: {field} is a required argument."
            )));
        }
    }
    Ok(TestEventPatternResponse {
        result: Some(pattern.matches(&event)),
    })
}
