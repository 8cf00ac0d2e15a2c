//! The two sides of dispatch: a service takes calls, a client makes them. Both know only the neutral form,
//! so that a call from another service passes the same gate as one from outside.

use std::future::Future;
use std::pin::Pin;

use roadstead_base::Ctx;

use crate::{ApiError, Operation, ServiceModel, Value};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A service behind dispatch. Generated for every implementation of a service's trait.
pub trait Handler: Send + Sync + 'static {
    fn model(&self) -> &'static ServiceModel;

    /// `input` has passed the model's constraints.
    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>>;
}

/// A way into dispatch, for typed clients.
pub trait Call: Send + Sync + 'static {
    fn call<'a>(
        &'a self,
        service: &'static ServiceModel,
        operation: &'static str,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>>;
}
