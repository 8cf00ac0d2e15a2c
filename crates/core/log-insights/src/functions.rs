//! The functions by their names. Each takes values and is worth one; what it cannot do with what it got is null.

mod addresses;
mod json;
mod numbers;
mod strings;
mod times;

use crate::ast::AggregateKind;
use crate::run::Window;
use crate::value::Value;

/// A function and how many arguments it takes.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub least: usize,
    pub most: usize,
    pub call: fn(&[Value], &Window) -> Value,
}

/// Whether there is a function of a name.
pub(crate) enum Known {
    Here(Function),
    /// In the language, but not here.
    Absent,
    Not,
}

const ANY: usize = 100;
const ABSENT: [&str; 5] = ["parsedate", "haversine", "toint", "tolong", "todouble"];

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a function of {} to {} arguments", self.least, self.most)
    }
}

impl Function {
    pub(crate) fn takes(&self, name: &str, given: usize) -> String {
        let wanted = match (self.least, self.most) {
            (least, most) if least == most => format!("{least}"),
            (least, ANY) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        format!("{name} takes {wanted} arguments, not {given}")
    }
}

/// By its name in lower case.
pub(crate) fn find(name: &str) -> Known {
    let tables = [
        numbers::find,
        strings::find,
        times::find,
        addresses::find,
        json::find,
        general,
    ];
    match tables.iter().find_map(|table| table(name)) {
        Some(function) => Known::Here(function),
        None if ABSENT.contains(&name) => Known::Absent,
        None => Known::Not,
    }
}

/// By its name in lower case.
pub(crate) fn aggregate(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "count" => AggregateKind::Count,
        "count_distinct" => AggregateKind::CountDistinct,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Avg,
        "min" => AggregateKind::Min,
        "max" => AggregateKind::Max,
        "pct" | "median" => AggregateKind::Pct(50.0),
        "stddev" => AggregateKind::Stddev,
        "earliest" => AggregateKind::Earliest,
        "latest" => AggregateKind::Latest,
        "sortsfirst" => AggregateKind::SortsFirst,
        "sortslast" => AggregateKind::SortsLast,
        _ => return None,
    })
}

fn function(least: usize, most: usize, call: fn(&[Value], &Window) -> Value) -> Option<Function> {
    Some(Function { least, most, call })
}

fn general(name: &str) -> Option<Function> {
    match name {
        "ispresent" => function(1, 1, |values, _| Value::Bool(!values[0].is_null())),
        "isnumeric" => function(1, 1, |values, _| Value::Bool(values[0].number().is_some())),
        "coalesce" => function(1, ANY, |values, _| {
            let first = values.iter().find(|value| !value.is_null());
            first.cloned().unwrap_or(Value::Null)
        }),
        "if" => function(3, 3, |values, _| {
            values[if values[0].truth() { 1 } else { 2 }].clone()
        }),
        // Up to ten branches, and a value if none is taken.
        "case" => function(2, 21, |values, _| {
            let mut branches = values.chunks_exact(2);
            let taken = branches
                .find(|branch| branch[0].truth())
                .map(|branch| branch[1].clone());
            taken.unwrap_or_else(|| {
                values
                    .chunks_exact(2)
                    .remainder()
                    .first()
                    .cloned()
                    .unwrap_or(Value::Null)
            })
        }),
        _ => None,
    }
}
