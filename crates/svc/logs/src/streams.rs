//! Log streams, and the lines written to and read from them.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod filter;
pub(crate) mod get;
pub(crate) mod put;
