//! A function that remembers what it was called with.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roadstead_protocol::ApiError;
use roadstead_testing::{Fake, Trusting};
use serde_json::{Value as Json, json};

use crate::harness::Bench;

pub(super) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

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

pub(super) struct Lambda {
    fake: Arc<Fake>,
    /// Of its calls, how many were taken.
    seen: Mutex<usize>,
    pub metrics: Arc<Fake>,
}

impl Lambda {
    /// Behind the gate of a bench that lets everybody do everything, with metrics beside it.
    pub(super) fn serve(bench: &Bench) -> Arc<Self> {
        let lambda = Arc::new(Self {
            fake: Fake::answering(&roadstead_api_lambda::MODEL, json!({"StatusCode": 202})),
            seen: Mutex::default(),
            metrics: Fake::new(&roadstead_api_cloudwatch::MODEL),
        });
        bench.dispatcher.set_authority(Arc::new(Trusting::default()));
        bench.dispatcher.register(lambda.fake.clone());
        bench.dispatcher.register(lambda.metrics.clone());
        lambda
    }

    /// What it was called with since this was last asked, also where it refused.
    pub(super) fn taken(&self) -> Vec<Asked> {
        let mut seen = self.seen.lock().expect("no panic");
        let new = self.fake.asked().split_off(*seen);
        *seen += new.len();
        new.into_iter().map(asked).collect()
    }

    /// Takes the next call, after what else is to come.
    pub(super) fn takes_one(&self) {
        self.fake.then(Ok(json!({"StatusCode": 202})));
    }

    /// So its next calls end.
    pub(super) fn fails(&self, errors: impl IntoIterator<Item = ApiError>) {
        errors.into_iter().for_each(|error| self.fake.refuse(error));
    }
}

fn asked(call: roadstead_testing::Asked) -> Asked {
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    let decoded = |value: &Json| BASE64.decode(text(value)).expect("base64");
    let payload = decoded(&call.input["Payload"]);
    let event: Json = serde_json::from_slice(&payload).expect("JSON");
    let data = decoded(&event["awslogs"]["data"]);
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(data.as_slice());
    decoder.read_to_string(&mut plain).expect("gzip");
    Asked {
        caller: call.ctx.caller.to_string(),
        source: call.ctx.origin.source_arn.clone(),
        function: text(&call.input["FunctionName"]),
        kind: text(&call.input["InvocationType"]),
        bytes: payload.len(),
        message: serde_json::from_str(&plain).expect("JSON"),
    }
}
