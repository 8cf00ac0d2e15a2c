//! A query, understood.

use std::sync::Arc;

use regex::Regex;

use crate::functions::Function;
use crate::period::Period;
use crate::row::Field;
use crate::value::Value;

/// A query whose every name and function is known and whose commands stand in an order that makes sense.
#[derive(Clone, Debug)]
pub struct Query {
    pub(crate) commands: Vec<Command>,
    /// The columns of the result, in order.
    pub(crate) columns: Vec<Field>,
    /// Whether rows are events still, which have a `@ptr`.
    pub(crate) events: bool,
    pub(crate) limit: Option<usize>,
}

impl Query {
    /// Whether the rows of the result are log events, as they are without `stats`.
    pub fn lists_events(&self) -> bool {
        self.events
    }

    /// The query's own limit.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// New fields by their names. Of `fields` and `display`.
    Make(Vec<(Arc<str>, Expr)>),
    Filter(Expr),
    Parse {
        from: Expr,
        pattern: Regex,
        /// For each group of the pattern.
        names: Vec<Arc<str>>,
    },
    Sort(Vec<SortKey>),
    Limit(usize),
    Dedup(Vec<Expr>),
    Stats(Box<Stats>),
}

#[derive(Clone, Debug)]
pub(crate) struct SortKey {
    pub expr: Expr,
    pub descending: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub aggregates: Vec<Aggregate>,
    /// Over the aggregates, as fields by their indexes, and over earlier ones.
    pub results: Vec<(Arc<str>, Expr)>,
    pub by: Vec<(Arc<str>, Expr)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub kind: AggregateKind,
    /// None for `count(*)`.
    pub of: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AggregateKind {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    /// The percentile, 0 to 100.
    Pct(f64),
    Stddev,
    Earliest,
    Latest,
    SortsFirst,
    SortsLast,
}

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Literal(Value),
    Field(Field),
    /// By its index among the aggregates of the `stats` it stands in.
    Aggregate(usize),
    Call(Function, Vec<Expr>),
    Bin(Period),
    /// The text, what to look for, and what to put in its place.
    RegexReplace(Box<Expr>, Regex, Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Matches(Box<Expr>, Regex),
    Contains(Box<Expr>, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Expr {
    /// The expressions right below.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        match self {
            Self::Literal(_) | Self::Field(_) | Self::Aggregate(_) | Self::Bin(_) => Vec::new(),
            Self::Call(_, arguments) => arguments.iter().collect(),
            Self::RegexReplace(a, _, b) | Self::Binary(_, a, b) | Self::Contains(a, b) => vec![a, b],
            Self::Not(a) | Self::Negative(a) | Self::Matches(a, _) => vec![a],
            Self::In(a, list) => std::iter::once(&**a).chain(list).collect(),
        }
    }
}
