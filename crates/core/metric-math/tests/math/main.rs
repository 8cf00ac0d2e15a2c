//! The language by tables of examples and by what holds of any expression.

mod bench;
mod evaluation;
mod faults;
mod properties;
