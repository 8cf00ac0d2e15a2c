//! What an expression comes to, by the types of what it is made of: types never depend on the data, so an expression that
//! is evaluated over no time at all tells whether it can be evaluated over any.

use crate::calendar;
use crate::fault::Fault;
use crate::functions::{Filler, alone, fill, of_array, of_series};
use crate::operators::{binary, each, negative};
use crate::search::Search;
use crate::series::{Grid, Series, Type, Value, together};
use crate::syntax::{Expression, Function, Kind, Node};

/// Where the metrics come from, and what the other expressions come to.
pub trait Source {
    type Error: From<Fault>;

    /// What an Id stands for. None if nobody has it.
    fn named(&mut self, id: &str, column: usize) -> Result<Option<Value>, Self::Error>;

    /// Whether an Id is a metric's, not an expression's.
    fn is_metric(&self, id: &str) -> bool;

    /// The metrics whose Ids contain a text.
    fn metrics(&mut self, containing: &str) -> Result<Vec<Series>, Self::Error>;

    /// The metrics that a search finds.
    fn search(&mut self, search: &Search, statistic: &str, column: usize)
    -> Result<Vec<Series>, Self::Error>;
}

/// The value of an expression at the times of a grid. Whether it may be the end of a request, a scalar may not, is the
/// caller's to say.
///
/// # Errors
/// A fault with its column, or what the source says.
pub fn evaluate<S: Source>(expression: &Expression, grid: &Grid, source: &mut S) -> Result<Value, S::Error> {
    Evaluation { grid, source }.node(&expression.root)
}

struct Evaluation<'e, S> {
    grid: &'e Grid,
    source: &'e mut S,
}

impl<S: Source> Evaluation<'_, S> {
    fn node(&mut self, node: &Node) -> Result<Value, S::Error> {
        let column = node.column;
        match &node.kind {
            Kind::Number(number) => Ok(Value::Scalar(*number)),
            Kind::Name(id) => match self.source.named(id, column)? {
                Some(value) => Ok(value),
                None => Err(Fault::meaning(
                    column,
                    format!("There is no metric or expression with the Id {id}"),
                )
                .into()),
            },
            Kind::Text(_) | Kind::Word(_) => {
                Err(Fault::syntax(column, "A string or a keyword has no value of its own").into())
            }
            Kind::Negative(inner) => Ok(negative(self.node(inner)?)),
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.node(left)?, self.node(right)?);
                Ok(binary(column, *operator, left, right)?)
            }
            Kind::Array(nodes) => {
                let mut all = Vec::new();
                for node in nodes {
                    match self.node(node)? {
                        Value::Series(series) => all.push(series),
                        Value::Array(array) => all.extend(array),
                        Value::Scalar(_) => {
                            return Err(Fault::meaning(
                                node.column,
                                "An array is made of time series, not of scalars",
                            )
                            .into());
                        }
                    }
                }
                Ok(Value::Array(all))
            }
            Kind::Call(function, arguments) => self.call(column, *function, arguments),
        }
    }

    fn call(&mut self, column: usize, function: Function, arguments: &[Node]) -> Result<Value, S::Error> {
        match function {
            Function::Metrics => {
                let containing = arguments.first().map_or("", text);
                return Ok(Value::Array(self.source.metrics(containing)?));
            }
            Function::Search => return self.search(arguments),
            Function::Period => return self.period(arguments),
            Function::If => return self.choose(column, arguments),
            Function::Fill => return self.fill(arguments),
            Function::Slice => return self.slice(arguments),
            Function::Sort => return self.sort(arguments),
            _ => {}
        }
        let Some(argument) = arguments.first() else {
            return Err(Fault::unsupported(column, function.text()).into());
        };
        let value = self.node(argument)?;
        let illegal = |kind: Type| {
            let (name, kind) = (function.text(), kind.text());
            Err(Fault::meaning(
                argument.column,
                format!("The function {name} does not take {kind}"),
            )
            .into())
        };
        Ok(match (function, value) {
            (Function::TimeSeries, Value::Scalar(number)) => {
                self.grid.room(1, column)?;
                Value::Series(self.constant(number))
            }
            (Function::TimeSeries, value) => return illegal(value.kind()),
            (Function::First, Value::Array(mut array)) => Value::Series(if array.is_empty() {
                Series::default()
            } else {
                array.swap_remove(0)
            }),
            (Function::Last, Value::Array(mut array)) => Value::Series(array.pop().unwrap_or_default()),
            (Function::MetricCount, Value::Array(array)) => Value::Scalar(array.len() as f64),
            (Function::RemoveEmpty, Value::Array(mut array)) => {
                array.retain(|series| !series.points.is_empty());
                Value::Array(array)
            }
            (Function::First | Function::Last | Function::MetricCount | Function::RemoveEmpty, value) => {
                return illegal(value.kind());
            }
            (
                Function::Minute
                | Function::Hour
                | Function::Day
                | Function::Date
                | Function::Month
                | Function::Year
                | Function::Epoch,
                Value::Series(_),
            ) => {
                self.grid.room(1, column)?;
                let told = self
                    .grid
                    .times()
                    .filter_map(|time| Some((time, calendar::tell(function, time)?)));
                Value::Series(Series::of(told.collect()))
            }
            (
                Function::Avg
                | Function::DatapointCount
                | Function::Max
                | Function::Min
                | Function::Stddev
                | Function::Sum,
                value,
            ) => match value {
                Value::Series(series) => Value::Scalar(of_series(function, &series, self.grid)),
                Value::Array(array) => Value::Series(of_array(function, &array)),
                Value::Scalar(_) => return illegal(Type::Scalar),
            },
            (_, Value::Series(series)) => match alone(function, series) {
                Some(series) => Value::Series(series),
                None => return illegal(Type::Series),
            },
            (function, Value::Array(array)) => {
                if alone(function, Series::default()).is_none() {
                    return illegal(Type::Array);
                }
                each(array, |series| alone(function, series).unwrap_or_default())
            }
            (_, Value::Scalar(_)) => return illegal(Type::Scalar),
        })
    }

    /// A point with this value in each period; none at all if it is no number.
    fn constant(&self, number: f64) -> Series {
        let times = self.grid.times().filter(|_| number.is_finite());
        Series::of(times.map(|time| (time, number)).collect())
    }

    fn search(&mut self, arguments: &[Node]) -> Result<Value, S::Error> {
        let [query, statistic, ..] = arguments else {
            return Ok(Value::Array(Vec::new()));
        };
        let search: Search = text(query).parse().map_err(|fault: Fault| Fault {
            // The search begins after its quote.
            column: query.column + fault.column,
            ..fault
        })?;
        let found = self.source.search(&search, text(statistic), statistic.column)?;
        Ok(Value::Array(found))
    }

    fn period(&mut self, arguments: &[Node]) -> Result<Value, S::Error> {
        for argument in arguments {
            let is_metric = match &argument.kind {
                Kind::Name(id) => self.source.is_metric(id),
                _ => false,
            };
            if !is_metric {
                return Err(
                    Fault::meaning(argument.column, "The function PERIOD takes the Id of a metric").into(),
                );
            }
        }
        Ok(Value::Scalar(self.grid.period as f64))
    }

    fn fill(&mut self, arguments: &[Node]) -> Result<Value, S::Error> {
        let [sparse, filler] = arguments else {
            return Ok(Value::Array(Vec::new()));
        };
        let value = self.node(sparse)?;
        let series = match &value {
            Value::Scalar(_) => {
                return Err(Fault::meaning(sparse.column, "The function FILL does not take a scalar").into());
            }
            Value::Series(_) => 1,
            Value::Array(array) => array.len(),
        };
        self.grid.room(series, sparse.column)?;
        let by;
        let filler = match &filler.kind {
            Kind::Word(word) if word == "LINEAR" => Filler::Linear,
            Kind::Word(_) => Filler::Repeat,
            _ => match self.node(filler)? {
                Value::Scalar(number) => Filler::Scalar(number),
                Value::Series(series) => {
                    by = series;
                    Filler::Series(&by)
                }
                Value::Array(_) => {
                    let words =
                        "The function FILL fills in with a number or a time series, not with an array";
                    return Err(Fault::meaning(filler.column, words).into());
                }
            },
        };
        Ok(match value {
            Value::Array(array) => each(array, |series| fill(series, &filler, self.grid)),
            Value::Series(series) => Value::Series(fill(series, &filler, self.grid)),
            Value::Scalar(number) => Value::Scalar(number),
        })
    }

    fn array(&mut self, function: Function, node: &Node) -> Result<Vec<Series>, S::Error> {
        match self.node(node)? {
            Value::Array(array) => Ok(array),
            value => {
                let (name, kind) = (function.text(), value.kind().text());
                let words = format!("The function {name} takes an array of time series, not {kind}");
                Err(Fault::meaning(node.column, words).into())
            }
        }
    }

    /// A number of time series.
    fn count(&mut self, function: Function, node: &Node) -> Result<usize, S::Error> {
        let value = self.node(node)?;
        match value {
            Value::Scalar(number) if number >= 0.0 && number.fract() == 0.0 => Ok(number as usize),
            _ => {
                let words = format!(
                    "The function {} takes a whole number from 0 here",
                    function.text()
                );
                Err(Fault::meaning(node.column, words).into())
            }
        }
    }

    fn slice(&mut self, arguments: &[Node]) -> Result<Value, S::Error> {
        let [array, first, rest @ ..] = arguments else {
            return Ok(Value::Array(Vec::new()));
        };
        let array = self.array(Function::Slice, array)?;
        let first = self.count(Function::Slice, first)?;
        let end = match rest.first() {
            Some(end) => self.count(Function::Slice, end)?,
            None => array.len(),
        };
        let part = array.into_iter().take(end).skip(first);
        Ok(Value::Array(part.collect()))
    }

    fn sort(&mut self, arguments: &[Node]) -> Result<Value, S::Error> {
        let [array, by, order, rest @ ..] = arguments else {
            return Ok(Value::Array(Vec::new()));
        };
        let array = self.array(Function::Sort, array)?;
        let by = Function::of(text(by)).unwrap_or(Function::Avg);
        let descending = text(order) == "DESC";
        let limit = match rest.first() {
            Some(limit) => self.count(Function::Sort, limit)?,
            None => array.len(),
        };
        let mut keyed: Vec<(f64, Series)> = array
            .into_iter()
            .map(|series| (of_series(by, &series, self.grid), series))
            .collect();
        // Those without a point come last either way.
        keyed.sort_by(|(a, _), (b, _)| {
            let order = if descending {
                b.total_cmp(a)
            } else {
                a.total_cmp(b)
            };
            a.is_nan().cmp(&b.is_nan()).then(order)
        });
        let sorted = keyed.into_iter().map(|(_, series)| series).take(limit);
        Ok(Value::Array(sorted.collect()))
    }

    /// "Using IF expressions".
    fn choose(&mut self, column: usize, arguments: &[Node]) -> Result<Value, S::Error> {
        let [condition, yes, rest @ ..] = arguments else {
            return Ok(Value::Array(Vec::new()));
        };
        let condition = self.node(condition)?;
        let yes = self.node(yes)?;
        let no = match rest.first() {
            Some(no) => Some(self.node(no)?),
            None => None,
        };
        let kinds = [Some(&condition), Some(&yes), no.as_ref()];
        let kinds: Vec<&str> = kinds
            .into_iter()
            .flatten()
            .map(|value| value.kind().text())
            .collect();
        match (condition, yes, no) {
            (Value::Series(condition), yes, no) => {
                let illegal = matches!(yes, Value::Array(_)) || matches!(no, Some(Value::Array(_)));
                if !illegal {
                    return Ok(Value::Series(by_point(&condition, &yes, no.as_ref())));
                }
            }
            (Value::Scalar(condition), Value::Series(yes), no @ (None | Some(Value::Series(_)))) => {
                let no = match no {
                    Some(Value::Series(no)) => no,
                    _ => Series::default(),
                };
                // A condition that is no number is no reason to choose.
                return Ok(Value::Series(match condition {
                    condition if condition.is_nan() => Series::default(),
                    0.0 => no,
                    _ => yes,
                }));
            }
            _ => {}
        }
        let words = format!(
            "The function IF does not go with {}: the condition is a time series with time series or scalars to choose from, \
             or a scalar with time series",
            kinds.join(", ")
        );
        Err(Fault::meaning(column, words).into())
    }
}

/// Point by point, as the documented tables have it: where the condition has no point there is none, unless one of a time
/// series is set against a scalar; what is chosen and lacks its point is 0 if the condition holds.
fn by_point(condition: &Series, yes: &Value, no: Option<&Value>) -> Series {
    let empty = Series::default();
    let series = |value: Option<&Value>| match value {
        Some(Value::Series(series)) => series.clone(),
        _ => Series::default(),
    };
    let (of_yes, of_no) = (series(Some(yes)), series(no));
    let scalar = |value: Option<&Value>| match value {
        Some(Value::Scalar(number)) => Some(*number),
        _ => None,
    };
    let (scalar_yes, scalar_no) = (scalar(Some(yes)), scalar(no));
    let mut points = Vec::new();
    together(
        &[condition, &of_yes, if no.is_some() { &of_no } else { &empty }],
        |time, row| {
            let value = match row {
                [Some(condition), yes, no] => {
                    if *condition != 0.0 {
                        scalar_yes.or(*yes).or(Some(0.0))
                    } else {
                        scalar_no.or(*no)
                    }
                }
                [None, Some(_), _] => scalar_no,
                _ => None,
            };
            points.extend(value.filter(|value| value.is_finite()).map(|value| (time, value)));
        },
    );
    Series::of(points)
}

/// The text of a string or a keyword; the parser saw to it that it is one.
fn text(node: &Node) -> &str {
    match &node.kind {
        Kind::Text(text) | Kind::Word(text) => text,
        _ => "",
    }
}
