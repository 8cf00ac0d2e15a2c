//! The ECS API as a node's agent uses it: few operations, signed, over one kept-alive connection pool.

mod client;
mod news;
pub mod register;
mod trust;

pub use client::{CallError, Client, Credentials, Endpoint, EndpointError};
pub use trust::{Trust, TrustError};
