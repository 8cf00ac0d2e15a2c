//! A stand-in for a service that another one calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use roadstead_base::Ctx;
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, json};
use serde_json::Value as Json;

/// A call that a [`Fake`] answered.
#[derive(Clone, Debug)]
pub struct Asked {
    pub ctx: Ctx,
    pub operation: &'static str,
    pub input: Json,
}

/// A service that answers from a script, then always alike, and remembers what it was asked.
pub struct Fake {
    model: &'static ServiceModel,
    usual: Json,
    /// Of operations that have another.
    of: Mutex<HashMap<&'static str, Json>>,
    script: Mutex<VecDeque<Result<Json, ApiError>>>,
    asked: Mutex<Vec<Asked>>,
    done: Mutex<Vec<Asked>>,
}

impl Fake {
    /// Its usual answer has no members.
    pub fn new(model: &'static ServiceModel) -> Arc<Self> {
        Self::answering(model, Json::Object(serde_json::Map::new()))
    }

    pub fn answering(model: &'static ServiceModel, usual: Json) -> Arc<Self> {
        Arc::new(Self {
            model,
            usual,
            of: Mutex::default(),
            script: Mutex::default(),
            asked: Mutex::default(),
            done: Mutex::default(),
        })
    }

    /// Answers an operation so, unless the script says otherwise.
    pub fn answers(&self, operation: &'static str, usual: Json) {
        self.of.lock().expect("no panic").insert(operation, usual);
    }

    /// Answers so once, after what else the script has.
    pub fn then(&self, answer: Result<Json, ApiError>) {
        self.script.lock().expect("no panic").push_back(answer);
    }

    /// Refuses once, after what else the script has.
    pub fn refuse(&self, error: ApiError) {
        self.then(Err(error));
    }

    /// Each call, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Each call that was not refused, in order.
    pub fn done(&self) -> Vec<Asked> {
        self.done.lock().expect("no panic").clone()
    }

    /// What [`Fake::done`] says, which is then forgotten.
    pub fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut self.done.lock().expect("no panic"))
    }
}

impl Handler for Fake {
    fn model(&self) -> &'static ServiceModel {
        self.model
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let input = operation
            .input
            .map_or(Json::Null, |shape| json::to_json(self.model, shape, input));
        let asked = Asked {
            ctx: ctx.clone(),
            operation: operation.name,
            input,
        };
        self.asked.lock().expect("no panic").push(asked.clone());
        let next = self.script.lock().expect("no panic").pop_front();
        let usual = || {
            let of = self.of.lock().expect("no panic");
            Ok(of.get(operation.name).unwrap_or(&self.usual).clone())
        };
        let answer = next.unwrap_or_else(usual).map(|answer| {
            self.done.lock().expect("no panic").push(asked);
            operation.output.map_or(Value::empty(), |shape| {
                json::from_json(self.model, shape, answer, "").expect("fits the model")
            })
        });
        Box::pin(async move { answer })
    }
}
