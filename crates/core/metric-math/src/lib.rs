//! The language that makes new time series out of metrics: CloudWatch's metric math ("Using math expressions with
//! CloudWatch metrics"), the search expressions within it ("CloudWatch search expression syntax") and the dynamic labels
//! of its results ("Using dynamic labels"). Where the metrics come from is the caller's matter: [`Source`].
//!
//! What the documentation leaves open is decided so:
//! * Time series meet at the union of their timestamps, what one of them lacks counts as 0; a result that is no finite
//!   number is dropped. Over an array, `MIN`, `MAX`, `SUM` and `STDDEV` look at the series that have a point, `AVG`
//!   counts the others as 0.
//! * `AVG` of one time series counts its missing points as 0 as well, which is why there is `DATAPOINT_COUNT`.
//! * `STDDEV` is that of a population.
//! * Exponentiation binds most and from the right, then the sign, then `* /`, `+ -`, comparisons, `AND`, `OR`.

mod calendar;
mod evaluate;
mod fault;
mod functions;
mod label;
mod lexer;
mod operators;
mod parser;
pub mod search;
mod series;
mod syntax;

pub use evaluate::{Source, evaluate};
pub use fault::{Fault, FaultKind};
pub use label::{Label, Property, Timezone};
pub use series::{Grid, MAX_POINTS, Series, Type, Value};
pub use syntax::{Expression, Function, Kind, Node, Operator};
