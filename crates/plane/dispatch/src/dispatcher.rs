//! Routing and the gate: which service, which operation, is the input what the model says, and a line in
//! the log for every call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use roadstead_base::{AccountId, Caller, Ctx, Origin, Pager, Region, SharedClock};
use roadstead_protocol::rest::Router;
use roadstead_protocol::{
    ApiError, BoxFuture, Call, Handler, Operation, Protocol, ServiceModel, Value, check,
};

use crate::audit::{self, Called, Coming, Observer};
use crate::credentials::Credentials;
use crate::gate::Gate;
use crate::meters::Meters;
use crate::render;
use crate::whole;

pub type RawRequest = http::Request<hyper::body::Incoming>;
pub type RawResponse = http::Response<crate::answer::Body>;

/// A path below which a service speaks for itself, such as a websocket. The caller is known by then.
pub trait Raw: Send + Sync + 'static {
    /// The action that users and roles need to get here; without one they do not.
    fn action(&self) -> Option<&'static str> {
        None
    }

    /// Whether listeners where strangers are the account's root take it without a signature too.
    fn is_open_to_strangers(&self) -> bool {
        false
    }

    /// Whether every listener takes it without a signature: what it is asked for carries a proof of its own, and the
    /// context says nothing of who asks.
    fn has_proof_of_its_own(&self) -> bool {
        false
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse>;
}

struct Mount {
    prefix: &'static str,
    /// Signing name of the service that requests below the prefix are signed for.
    service: &'static str,
    raw: Arc<dyn Raw>,
}

struct Registered {
    handler: Arc<dyn Handler>,
    /// Of services that speak a REST protocol: which one, and their routes.
    routes: Option<(Protocol, Arc<Router>)>,
}

/// The one way to the services.
pub struct Dispatcher {
    pub(crate) clock: SharedClock,
    pub(crate) credentials: Credentials,
    pub(crate) default_account: AccountId,
    pub(crate) gate: Gate,
    observers: RwLock<Vec<Arc<dyn Observer>>>,
    pager: Arc<Pager>,
    handlers: RwLock<Vec<Registered>>,
    mounts: RwLock<Vec<Mount>>,
    ready: AtomicBool,
    meters: Meters,
}

impl Dispatcher {
    pub fn new(clock: SharedClock, pager: Pager, default_account: AccountId) -> Arc<Self> {
        Arc::new(Self {
            clock,
            credentials: Credentials::default(),
            default_account,
            gate: Gate::default(),
            observers: RwLock::default(),
            pager: Arc::new(pager),
            handlers: RwLock::default(),
            mounts: RwLock::default(),
            ready: AtomicBool::new(false),
            meters: Meters::default(),
        })
    }

    /// Puts a service behind the gate. Services that call others hold the dispatcher, so they join it after
    /// it was made.
    pub fn register(&self, handler: Arc<dyn Handler>) {
        let model = handler.model();
        let rest = |protocol: &&Protocol| matches!(protocol, Protocol::RestJson | Protocol::RestXml);
        let protocol = model.protocols.iter().find(rest);
        let routes = protocol.map(|protocol| (*protocol, Arc::new(Router::new(model))));
        self.handlers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Registered { handler, routes });
    }

    /// Serves paths below `prefix` by `raw`, for callers signed for `service`.
    pub fn mount(&self, prefix: &'static str, service: &'static str, raw: Arc<dyn Raw>) {
        self.mounts
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Mount { prefix, service, raw });
    }

    /// From now on the health check says `running`; before, `starting`.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// What was called, how it ended and how long it took.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The context of a call the platform makes on its own behalf.
    pub fn internal_ctx(&self, service: &'static str, account: AccountId, region: Region) -> Ctx {
        self.ctx(account, region, Caller::Service(service), String::new())
    }

    /// The context of a call that a service makes for something of a customer's: the resource's policy must allow it
    /// to the service, which conditions such as `aws:SourceArn` can narrow.
    pub fn ctx_for_source(
        &self,
        service: &'static str,
        account: AccountId,
        region: Region,
        source_arn: &str,
    ) -> Ctx {
        let mut ctx = self.internal_ctx(service, account, region);
        ctx.origin = Arc::new(Origin {
            source_arn: Some(source_arn.to_owned()),
            ..Origin::default()
        });
        ctx
    }

    pub(crate) fn ctx(&self, account: AccountId, region: Region, caller: Caller, endpoint: String) -> Ctx {
        let request_id = roadstead_base::random_uuid();
        Ctx {
            account,
            region,
            caller,
            request_id,
            pager: self.pager.clone(),
            endpoint,
            origin: Arc::default(),
        }
    }

    /// The context of somebody unknown on a listener that takes such for the account's root. The region is that of no
    /// request.
    pub(crate) fn stranger(&self, peer: Option<std::net::IpAddr>) -> Option<Ctx> {
        let region: Region = "us-east-1".parse().ok()?;
        let mut ctx = self.ctx(self.default_account.clone(), region, Caller::Root, String::new());
        ctx.origin = Arc::new(Origin {
            address: peer,
            ..Origin::default()
        });
        Some(ctx)
    }

    pub(crate) fn handler(&self, matches: impl Fn(&ServiceModel) -> bool) -> Option<Arc<dyn Handler>> {
        self.handlers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|registered| matches(registered.handler.model()))
            .map(|registered| registered.handler.clone())
    }

    /// The REST service that is signed for by this name, with its routes.
    pub(crate) fn rest(&self, signing_name: &str) -> Option<(Arc<dyn Handler>, Arc<Router>, Protocol)> {
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        handlers
            .iter()
            .filter(|registered| registered.handler.model().signing_name == signing_name)
            .find_map(|registered| {
                let (protocol, router) = registered.routes.as_ref()?;
                Some((registered.handler.clone(), router.clone(), *protocol))
            })
    }

    pub(crate) fn mounted(&self, path: &str) -> Option<(&'static str, Arc<dyn Raw>)> {
        let mounts = self.mounts.read().unwrap_or_else(PoisonError::into_inner);
        mounts
            .iter()
            .find(|mount| path.starts_with(mount.prefix))
            .map(|mount| (mount.service, mount.raw.clone()))
    }

    /// The gate itself.
    pub(crate) async fn pass(
        &self,
        handler: &dyn Handler,
        operation: &str,
        ctx: &Ctx,
        input: Value,
    ) -> Result<Value, ApiError> {
        let model = handler.model();
        let Some(operation) = model.operation(operation) else {
            return Err(render::no_such_operation(model, operation));
        };
        let watchers = self.watchers(Coming {
            ctx,
            model,
            operation,
        });
        let asked = (!watchers.is_empty()).then(|| input.clone());
        let begun = Instant::now();
        let result = self.answer_to(handler, operation, ctx, input).await;
        let outcome = result.as_ref().err().map_or("ok", |error| error.code.as_ref());
        self.meters
            .count(model.name, operation.name, outcome, begun.elapsed());
        tracing::info!(
            target: "audit",
            service = model.name,
            operation = operation.name,
            account = %ctx.account,
            region = %ctx.region,
            caller = %ctx.caller,
            request_id = %ctx.request_id,
            outcome,
        );
        let called = Called {
            model,
            operation,
            ctx,
            error: result.as_ref().err(),
            at: self.clock.now(),
        };
        let record = self.observe(&called);
        if let (Some(mut record), Some(asked)) = (record, asked) {
            whole::complete(&mut record, model, operation, &asked, result.as_ref().ok());
            for watcher in watchers {
                watcher.called_whole(ctx, record.clone());
            }
        }
        result
    }

    async fn answer_to(
        &self,
        handler: &dyn Handler,
        operation: &'static Operation,
        ctx: &Ctx,
        input: Value,
    ) -> Result<Value, ApiError> {
        let model = handler.model();
        self.authorize(model, operation, ctx, &input).await?;
        if let Some(shape) = operation.input {
            check(model, shape, &input).map_err(|violation| render::violation(model, &violation))?;
        }
        handler.call(operation, ctx, input).await
    }

    /// From now on `observer` is told of every call.
    pub fn observe_by(&self, observer: Arc<dyn Observer>) {
        let mut all = self.observers.write().unwrap_or_else(PoisonError::into_inner);
        all.push(observer);
    }

    /// Those who want the call whole: mostly nobody.
    fn watchers(&self, coming: Coming<'_>) -> Vec<Arc<dyn Observer>> {
        let all = self.observers.read().unwrap_or_else(PoisonError::into_inner);
        let wanting = all.iter().filter(|observer| observer.wants(coming));
        wanting.cloned().collect()
    }

    fn observe(&self, called: &Called<'_>) -> Option<serde_json::Value> {
        let all = self.observers.read().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return None;
        }
        let record = audit::record(called);
        for observer in all.iter() {
            observer.called(&record);
        }
        Some(record)
    }
}

impl Call for Dispatcher {
    fn call<'a>(
        &'a self,
        service: &'static ServiceModel,
        operation: &'static str,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        Box::pin(async move {
            let handler = self
                .handler(|model| std::ptr::eq(model, service))
                .ok_or_else(|| {
                    ApiError::new(
                        "ServiceUnavailable",
                        503,
                        format!("{} is not running here", service.name),
                    )
                })?;
            self.pass(handler.as_ref(), operation, ctx, input).await
        })
    }
}
