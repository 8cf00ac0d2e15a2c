//! The service through its handlers, with a fake in place of execution environments and neighbours that remember what
//! they were asked.

mod at_once;
mod deletions;
mod destinations;
mod events;
mod functions;
mod images;
mod invocations;
mod layers;
mod permissions;
mod storage;
mod versions;
mod words;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_base::{AccountId, Caller, Ctx, ManualClock, Pager, RoleSession, Timestamp};
use roadstead_dispatch::{
    Asked, Authority, Denial, Dispatcher, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_functions::testing::{Fake, Ran};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, json as codec};
use roadstead_store::{Embedded, Store};
use serde_json::{Value as Json, json};

use crate::{Lambda, LambdaPermissions, Options, Parts, Server};

/// 2023-11-14T22:13:20Z
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/runner";
/// Of a role that does not trust the service.
const FOREIGN_ROLE: &str = "arn:aws:iam::000000000000:role/foreign";

pub(crate) fn ctx() -> Ctx {
    Ctx {
        account: "000000000000".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        caller: Caller::Root,
        request_id: "request".into(),
        pager: Arc::new(Pager::new([7; 32])),
        endpoint: String::new(),
        origin: Arc::default(),
    }
}

/// Lets everybody do everything, and roles be assumed unless they were revoked.
#[derive(Default)]
struct Roles {
    revoked: Mutex<bool>,
}

impl Authority for Roles {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, _asked: Asked<'_>) -> Result<(), Denial> {
        Ok(())
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        if assumes.role_arn == FOREIGN_ROLE || *self.revoked.lock().expect("no panic") {
            return Err(RoleError::NotTrusted {
                role: assumes.role_arn.into(),
                service: assumes.service,
            });
        }
        Ok(Arc::new(RoleSession {
            role_arn: assumes.role_arn.into(),
            role_id: "AROAEXAMPLE".into(),
            name: assumes.session_name.into(),
            issued: START,
            expires: START.plus_millis(i64::from(assumes.seconds) * 1000 + 86_400_000),
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: None,
            chained: false,
        }))
    }

    fn issue(&self, _caller: &Caller, _account: &AccountId, expires: Timestamp) -> SessionKeys {
        SessionKeys {
            access_key: "ASIAEXAMPLE".into(),
            secret: "secret".into(),
            token: "token".into(),
            expires,
        }
    }
}

/// Another service: takes what its model allows, refuses by a script, and remembers what it was asked.
struct Neighbour {
    model: &'static ServiceModel,
    /// Operations and what they are refused with, each once; the last first.
    refusals: Mutex<Vec<(&'static str, ApiError)>>,
    /// What operations answer, once.
    answers: Mutex<Vec<(&'static str, Json)>>,
    asked: Mutex<Vec<Request>>,
}

#[derive(Clone, Debug)]
struct Request {
    operation: &'static str,
    caller: String,
    input: Json,
}

impl Neighbour {
    fn of(model: &'static ServiceModel) -> Arc<Self> {
        Arc::new(Self {
            model,
            refusals: Mutex::default(),
            answers: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    fn refuse(&self, operation: &'static str, error: ApiError) {
        self.refusals.lock().expect("no panic").push((operation, error));
    }

    fn answer(&self, operation: &'static str, answer: Json) {
        self.answers.lock().expect("no panic").push((operation, answer));
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Handler for Neighbour {
    fn model(&self) -> &'static ServiceModel {
        self.model
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let input = codec::to_json(self.model, operation.input.expect("an input"), input);
        self.asked.lock().expect("no panic").push(Request {
            operation: operation.name,
            caller: ctx.caller.to_string(),
            input,
        });
        let mut refusals = self.refusals.lock().expect("no panic");
        let at = refusals.iter().rposition(|(name, _)| *name == operation.name);
        let refusal = at.map(|at| refusals.remove(at).1);
        let mut answers = self.answers.lock().expect("no panic");
        let at = answers.iter().rposition(|(name, _)| *name == operation.name);
        let answer = at.map_or(Ok(Value::empty()), |at| {
            let shape = operation.output.expect("an output");
            Ok(codec::from_json(self.model, shape, answers.remove(at).1, "").expect("fits the model"))
        });
        Box::pin(async move { refusal.map_or(answer, Err) })
    }
}

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    folder: Arc<tempfile::TempDir>,
    roles: Arc<Roles>,
    logs: Arc<Neighbour>,
    metrics: Arc<Neighbour>,
    queues: Arc<Neighbour>,
    topics: Arc<Neighbour>,
    buses: Arc<Neighbour>,
    fake: Arc<Fake>,
    lambda: Arc<Lambda>,
}

impl Bench {
    /// Functions that give back what they get.
    async fn new() -> Self {
        Self::running(Fake::of(|_, invocation| {
            Ok(Ran::returned(invocation.payload.clone()))
        }))
        .await
    }

    async fn running(fake: Arc<Fake>) -> Self {
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::over(Arc::new(store), folder, fake, START).await
    }

    async fn over(
        store: Arc<dyn Store>,
        folder: Arc<tempfile::TempDir>,
        fake: Arc<Fake>,
        now: Timestamp,
    ) -> Self {
        let options = Options {
            seed: Some(7),
            ..Options::default()
        };
        Self::over_with(store, folder, fake, now, options).await
    }

    async fn over_with(
        store: Arc<dyn Store>,
        folder: Arc<tempfile::TempDir>,
        fake: Arc<Fake>,
        now: Timestamp,
        options: Options,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx().account);
        let roles: Arc<Roles> = Arc::default();
        dispatcher.set_authority(roles.clone());
        let serve = |model| {
            let neighbour = Neighbour::of(model);
            dispatcher.register(neighbour.clone());
            neighbour
        };
        let logs = serve(&roadstead_api_logs::MODEL);
        let metrics = serve(&roadstead_api_cloudwatch::MODEL);
        let queues = serve(&roadstead_api_sqs::MODEL);
        let topics = serve(&roadstead_api_sns::MODEL);
        let buses = serve(&roadstead_api_events::MODEL);
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            sandboxes: fake.clone(),
            folder: folder.path().to_owned(),
            options,
        };
        let lambda = Lambda::new(parts).await.expect("the service");
        dispatcher.guard(&roadstead_api_lambda::MODEL, LambdaPermissions::of(&lambda));
        dispatcher.register(Arc::new(roadstead_api_lambda::Server(Arc::new(Server(
            lambda.clone(),
        )))));
        Self {
            store,
            clock,
            folder,
            roles,
            logs,
            metrics,
            queues,
            topics,
            buses,
            fake,
            lambda,
        }
    }

    /// The same after a restart, so much later.
    async fn restarted(self, millis: i64) -> Self {
        use roadstead_base::Clock as _;
        let now = self.clock.now().plus_millis(millis);
        Self::over(self.store.clone(), self.folder.clone(), self.fake.clone(), now).await
    }

    async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        self.call_by(&ctx(), operation, input).await
    }

    async fn call_by(&self, ctx: &Ctx, operation: &str, input: Json) -> Result<Json, ApiError> {
        let model = &roadstead_api_lambda::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let shape = operation.input.expect("an input");
        let value = codec::from_json(model, shape, input, "").expect("fits the model");
        roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        let server = roadstead_api_lambda::Server(Arc::new(Server(self.lambda.clone())));
        let answer = server.call(operation, ctx, value).await?;
        let shown = operation.output.map(|shape| codec::to_json(model, shape, answer));
        Ok(shown.unwrap_or(Json::Null))
    }

    async fn ok(&self, operation: &str, input: Json) -> Json {
        let shown = input.to_string();
        let answer = self.call(operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation} of {shown:.300}: {error}"))
    }

    async fn make(&self, name: &str) -> Json {
        self.ok("CreateFunction", function(name, json!({}))).await
    }

    /// Payload of an invocation, and what else was answered.
    async fn invoke(&self, input: Json) -> Result<(Json, Json), ApiError> {
        let answer = self.call("Invoke", input).await?;
        let payload = answer["Payload"].as_str().unwrap_or_default();
        let payload = STANDARD.decode(payload).expect("base64");
        Ok((serde_json::from_slice(&payload).unwrap_or(Json::Null), answer))
    }
}

/// A request for a function, with other members.
fn function(name: &str, more: Json) -> Json {
    let mut request = json!({
        "FunctionName": name, "Role": ROLE, "Runtime": "python3.12", "Handler": "lambda_function.handler",
        "Code": {"ZipFile": code("def handler(event, context): return event")},
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        request[member] = value.clone();
    }
    request
}

/// An archive of one source, in base64.
fn code(source: &str) -> String {
    let archive =
        crate::zip::tests::archive(&[crate::zip::tests::file("lambda_function.py", source.as_bytes())]);
    STANDARD.encode(archive)
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err(words);
    assert!(
        error.code == code && error.message.contains(words),
        "wanted {code} with {words:?}, got {error}"
    );
}
