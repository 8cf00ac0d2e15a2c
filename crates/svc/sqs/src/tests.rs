//! The service through its handlers, over a clock that the test moves.

mod dead_letters;
mod fifo;
mod messages;
mod queues;
