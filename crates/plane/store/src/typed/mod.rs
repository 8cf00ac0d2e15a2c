//! Records over the bytes of a store.

pub(crate) mod key;
pub(crate) mod mirror;
pub(crate) mod table;
pub(crate) mod transaction;
