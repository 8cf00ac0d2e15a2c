//! Placeholder.

pub(crate) mod discover;
