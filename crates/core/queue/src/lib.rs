//! Which message of a queue is whose turn, and when: delays, visibility, order within groups, receives that were too
//! many. Knows messages by their numbers alone, which grow in the order of sending; bodies lie elsewhere. Pure: the
//! caller says what time it is and writes down what changed. Times are milliseconds.

mod groups;
mod queue;

pub use queue::{Counts, Message, NotChanged, Queue, Taken};
