//! The query language of CloudWatch Logs Insights ("CloudWatch Logs Insights language query syntax" of the user guide):
//! a query's text becomes a pipeline, log events go in newest first, rows come out. No I/O, no clock; memory is bounded
//! by the caller and regular expressions take time in proportion to what they look at.

mod ast;
mod eval;
mod fault;
mod functions;
mod lex;
mod order;
mod parse;
mod period;
mod row;
mod run;
mod stage;
mod stats;
mod value;

pub use ast::Query;
pub use fault::Fault;
pub use row::{Event, discovered};
pub use run::{Bounds, Results, Run, TooLarge, Window};

/// Longer queries are refused; the API allows as many characters.
pub const MAX_LENGTH: usize = 10_000;
/// Rows of a result where neither the query nor the caller says how many.
pub const DEFAULT_LIMIT: usize = 10_000;
/// Rows of a result at most.
pub const MAX_LIMIT: usize = 100_000;
