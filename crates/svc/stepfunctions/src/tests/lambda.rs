//! Functions, as far as a state machine sees them: a model of `Invoke` alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_protocol::{Kind, Member, Operation, Protocol, ServiceModel, Shape};
use serde_json::{Value as Json, json};

const TEXT: Shape = Shape {
    name: "Text",
    kind: Kind::Text {
        min: None,
        max: None,
        pattern: None,
        values: &[],
    },
    ..Shape::BASE
};
const BLOB: Shape = Shape {
    name: "Blob",
    kind: Kind::Blob {
        min: None,
        max: None,
        streaming: false,
    },
    ..Shape::BASE
};
const NUMBER: Shape = Shape {
    name: "Number",
    kind: Kind::Integer { min: None, max: None },
    ..Shape::BASE
};

const fn structure(name: &'static str, members: &'static [Member]) -> Shape {
    Shape {
        name,
        kind: Kind::Structure {
            members,
            payload: None,
            document: false,
            union: false,
        },
        ..Shape::BASE
    }
}

pub(super) static MODEL: ServiceModel = ServiceModel {
    name: "lambda",
    signing_name: "lambda",
    protocols: &[Protocol::RestJson],
    shapes: &[
        TEXT,
        BLOB,
        NUMBER,
        structure(
            "InvocationRequest",
            &[
                Member {
                    name: "FunctionName",
                    shape: 0,
                    ..Member::BASE
                },
                Member {
                    name: "InvocationType",
                    shape: 0,
                    ..Member::BASE
                },
                Member {
                    name: "Payload",
                    shape: 1,
                    ..Member::BASE
                },
            ],
        ),
        structure(
            "InvocationResponse",
            &[
                Member {
                    name: "StatusCode",
                    shape: 2,
                    ..Member::BASE
                },
                Member {
                    name: "FunctionError",
                    shape: 0,
                    ..Member::BASE
                },
                Member {
                    name: "ExecutedVersion",
                    shape: 0,
                    ..Member::BASE
                },
                Member {
                    name: "Payload",
                    shape: 1,
                    ..Member::BASE
                },
            ],
        ),
    ],
    operations: &[Operation {
        name: "Invoke",
        input: Some(3),
        output: Some(4),
        ..Operation::BASE
    }],
    ..ServiceModel::BASE
};

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
