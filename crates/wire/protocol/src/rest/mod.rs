//! rest-json and rest-xml: members live in the path, the query string, headers and the body, where the
//! tables say. The two differ only in how they write a body.
//! Sources: the Smithy specifications of HTTP bindings, restJson1 and restXml.

mod header;
mod request;
mod response;
mod route;

pub use request::decode;
pub use response::{encode, encode_error};
pub use route::Router;

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Json,
    Xml,
}
