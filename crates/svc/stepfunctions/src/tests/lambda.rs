//! Functions, as far as a state machine sees them: what `Invoke` is asked and answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

/// What a function that returned this is answered with.
pub(super) fn answer(payload: &Json) -> Json {
    json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": STANDARD.encode(payload.to_string())})
}

/// What a function that raised this is answered with.
pub(super) fn raised(payload: &Json) -> Json {
    json!({"StatusCode": 200, "FunctionError": "Unhandled", "Payload": STANDARD.encode(payload.to_string())})
}

/// What a function was called with.
pub(super) fn payload(input: &Json) -> Json {
    let bytes = STANDARD
        .decode(input["Payload"].as_str().unwrap_or_default())
        .unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
