//! The operations as clients see them.

mod listing;
mod versions;
