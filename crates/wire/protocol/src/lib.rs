//! The wire between clients and services. Clients speak six protocols; services speak plain Rust types.
//! Everything between is driven by tables that `cargo xtask models` generates from the official models, so
//! that a protocol is written once and a service never sees one.

pub mod cbor;
pub mod check;
pub mod checksum;
mod codec;
pub mod ec2;
mod error;
pub mod events;
mod form;
pub mod json;
mod macros;
mod model;
pub mod query;
pub mod rest;
mod service;
pub mod sigv4;
mod text;
mod value;
mod wire;
pub mod xml;

pub use check::{Violation, check};
pub use codec::{Codec, EncodeError, HttpRequest, HttpResponse, RequestError, codec, form};
pub use error::{ApiError, Fault};
pub use events::{Event, EventStream};
pub use model::{
    AbsentRoute, Kind, Location, Member, Namespace, Operation, Protocol, ServiceModel, Shape, ShapeId,
};
pub use service::{BoxFuture, Call, Handler};
pub use text::TimeFormat;
pub use value::{Fields, Value};
pub use wire::{Blob, DecodeError, Wire};

/// What generated crates need from their dependencies.
pub mod reexport {
    pub use roadstead_base::{Ctx, Timestamp};
}
