//! The language by tables of examples.

mod bench;
mod evaluation;
mod faults;
