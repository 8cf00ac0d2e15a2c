//! The service through its handlers, over a clock that the test moves.

mod at_once;
mod dead_letters;
mod fifo;
mod messages;
mod queues;
