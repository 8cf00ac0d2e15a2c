//! The service through its handlers, over a store in memory and a volume on disk.

mod at_once;
mod filters;
mod groups;
mod lines;
mod policies;
mod queries;
mod streams;
mod subscriptions;
mod tagging;
mod tail;
