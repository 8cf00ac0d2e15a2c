//! XML for the protocols that speak it: a writer that cannot leave an element open by accident of data, and
//! a reader of the small part of XML that clients send. No document types, no external entities, bounded.

mod read;
mod shape;
mod write;

pub use read::{Element, XmlError, parse};
pub(crate) use shape::{read_members, read_value};
pub use write::Writer;
pub(crate) use write::{write_error_members, write_members, write_value};
