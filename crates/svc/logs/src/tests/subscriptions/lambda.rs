//! A function that remembers what it was called with. Its model has what the test needs of the real one.

use std::collections::VecDeque;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roadstead_base::{AccountId, Caller, Ctx, RoleSession, Timestamp};
use roadstead_dispatch::{
    Asked as Question, Authority, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Kind, Member, Operation, ServiceModel, Shape, Value};
use serde_json::Value as Json;

use crate::harness::Bench;
use crate::tests::filters::Metrics;

pub(super) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

static MODEL: ServiceModel = ServiceModel {
    name: "lambda",
    signing_name: "lambda",
    shapes: &[
        Shape {
            name: "Text",
            kind: Kind::Text {
                min: None,
                max: None,
                pattern: None,
                values: &[],
            },
            ..Shape::BASE
        },
        Shape {
            name: "Blob",
            kind: Kind::Blob {
                min: None,
                max: None,
                streaming: false,
            },
            ..Shape::BASE
        },
        Shape {
            name: "InvocationRequest",
            kind: Kind::Structure {
                members: &[
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
                payload: None,
                document: false,
                union: false,
            },
            ..Shape::BASE
        },
    ],
    operations: &[Operation {
        name: "Invoke",
        input: Some(2),
        ..Operation::BASE
    }],
    ..ServiceModel::BASE
};

/// A call of the function.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub caller: String,
    /// For what the service called.
    pub source: Option<String>,
    pub function: String,
    pub kind: String,
    /// Of the whole event in JSON.
    pub bytes: usize,
    /// The data in it, plain again.
    pub message: Json,
}

#[derive(Default)]
pub(super) struct Lambda {
    /// How the next calls end; after these, well.
    pub script: Mutex<VecDeque<Result<(), ApiError>>>,
    asked: Mutex<Vec<Asked>>,
    pub metrics: Arc<Metrics>,
}

impl Lambda {
    /// Behind the gate of a bench that lets everybody do everything, with metrics beside it.
    pub(super) fn serve(bench: &Bench) -> Arc<Self> {
        bench.dispatcher.set_authority(Arc::new(All));
        let lambda = Arc::new(Self::default());
        lambda.join(bench);
        lambda
    }

    fn join(self: &Arc<Self>, bench: &Bench) {
        bench.dispatcher.register(self.clone());
        bench.dispatcher.register(self.metrics.clone());
    }

    /// What it was called with since this was last asked.
    pub(super) fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }

    pub(super) fn fails(&self, errors: impl IntoIterator<Item = ApiError>) {
        self.script
            .lock()
            .expect("no panic")
            .extend(errors.into_iter().map(Err));
    }
}

fn asked(ctx: &Ctx, input: &Value) -> Asked {
    let text = |name: &str| match input.get(name) {
        Some(Value::Str(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    };
    let Some(Value::Blob(payload)) = input.get("Payload") else {
        panic!("{input:?}")
    };
    let event: Json = serde_json::from_slice(payload).expect("JSON");
    let data = BASE64
        .decode(event["awslogs"]["data"].as_str().expect("a text"))
        .expect("base64");
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(data.as_slice());
    decoder.read_to_string(&mut plain).expect("gzip");
    Asked {
        caller: ctx.caller.to_string(),
        source: ctx.origin.source_arn.clone(),
        function: text("FunctionName"),
        kind: text("InvocationType"),
        bytes: payload.len(),
        message: serde_json::from_str(&plain).expect("JSON"),
    }
}

impl Handler for Lambda {
    fn model(&self) -> &'static ServiceModel {
        &MODEL
    }

    fn call<'a>(
        &'a self,
        _operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        self.asked.lock().expect("no panic").push(asked(ctx, &input));
        let next = self.script.lock().expect("no panic").pop_front();
        Box::pin(async move { next.unwrap_or(Ok(())).map(|()| Value::empty()) })
    }
}

/// What functions allow is tried where functions are.
struct All;

impl Authority for All {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, _asked: Question<'_>) -> Result<(), Denial> {
        Ok(())
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        Err(RoleError::NoSuchRole(assumes.role_arn.into()))
    }

    fn issue(&self, _caller: &Caller, _account: &AccountId, _expires: Timestamp) -> SessionKeys {
        unreachable!("no keys are handed out here")
    }
}
