//! rpc-v2-cbor: the operation is in the path, the body is one CBOR item.
//! Sources: the Smithy specification of the rpcv2Cbor protocol; RFC 8949.

mod item;
mod shape;

pub use item::{CborError, Item, parse};
pub use shape::{BodyError, decode, encode, encode_error};

/// Service and operation of a path that ends in `/service/{name}/operation/{name}`.
pub fn route(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.rsplit('/');
    let operation = parts.next()?;
    if parts.next()? != "operation" {
        return None;
    }
    let service = parts.next()?;
    let named = parts.next()? == "service" && !service.is_empty() && !operation.is_empty();
    named.then_some((service, operation))
}
