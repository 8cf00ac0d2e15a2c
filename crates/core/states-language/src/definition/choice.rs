//! The rules of a Choice: comparisons of JSONPath states, conditions of JSONata states.

use jiff::Timestamp;
use serde_json::Value;

use super::QueryLanguage;
use super::fields::assign;
use super::reader::Reader;
use super::templates::Reading;
use crate::path::Path;
use crate::template::Template;

/// A rule: where to go if its condition holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// When it applies.
    pub condition: Condition,
    /// Where to.
    pub next: String,
    /// JSONata: what goes on.
    pub output: Option<Template>,
    /// Variables.
    pub assign: Vec<(String, Template)>,
}

/// When a rule applies.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them hold.
    And(Vec<Condition>),
    /// One of them holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison with what the path finds.
    Test(Path, Comparison),
    /// JSONata: it gives `true`.
    Query(Template),
}

/// A comparison.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the names are those of the language
pub enum Comparison {
    String(Ordered, Literal),
    Numeric(Ordered, Literal),
    Timestamp(Ordered, Literal),
    BooleanEquals(Literal),
    StringMatches(String),
    IsNull(bool),
    IsPresent(bool),
    IsNumeric(bool),
    IsString(bool),
    IsBoolean(bool),
    IsTimestamp(bool),
}

/// What is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// That value.
    Value(Value),
    /// What the path finds.
    Path(Path),
}

/// Which order is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names are those of the language
pub enum Ordered {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

impl Ordered {
    fn named(name: &str) -> Option<Ordered> {
        Some(match name {
            "Equals" => Ordered::Equals,
            "LessThan" => Ordered::LessThan,
            "GreaterThan" => Ordered::GreaterThan,
            "LessThanEquals" => Ordered::LessThanEquals,
            "GreaterThanEquals" => Ordered::GreaterThanEquals,
            _ => return None,
        })
    }

    /// Whether two things in that order satisfy it.
    pub fn accepts(self, order: std::cmp::Ordering) -> bool {
        match self {
            Ordered::Equals => order.is_eq(),
            Ordered::LessThan => order.is_lt(),
            Ordered::GreaterThan => order.is_gt(),
            Ordered::LessThanEquals => order.is_le(),
            Ordered::GreaterThanEquals => order.is_ge(),
        }
    }
}

/// A time in the profile of RFC 3339 that the language asks for: `2016-03-14T01:59:00Z`.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let strict = text.as_bytes().get(10) == Some(&b'T')
        && text
            .bytes()
            .all(|one| one.is_ascii_digit() || b"TZ:.+-".contains(&one));
    if strict { text.parse().ok() } else { None }
}

pub(super) fn rules(reader: &Reader<'_>, reading: Reading<'_>) -> Vec<Rule> {
    reader.require(&["Choices"]);
    let Some(choices) = reader.array("Choices") else {
        return Vec::new();
    };
    if choices.is_empty() {
        reader.schema("Choices", "The value of 'Choices' must not be empty");
    }
    let at = reader.below("Choices");
    let rules = choices.iter().enumerate().filter_map(|(index, choice)| {
        let one = Reader::of(choice, &format!("{at}/{index}"), reader.report)?;
        let next = one.next();
        one.string("Comment");
        let field = format!("Choices[{index}]");
        let assign = assign(&one, reading, &format!("{field}/Assign"));
        let mut output = None;
        let condition = match reading.language {
            QueryLanguage::JsonPath => condition(&one, 0),
            QueryLanguage::Jsonata => {
                let name = format!("{field}/Output");
                output = one
                    .get("Output")
                    .map(|value| reading.template(value, &name, &one.below("Output")));
                query(&one, reading, &format!("{field}/Condition"))
            }
        };
        one.finish(reading.language);
        condition.map(|condition| Rule {
            condition,
            next,
            output,
            assign,
        })
    });
    rules.collect()
}

fn query(reader: &Reader<'_>, reading: Reading<'_>, field: &str) -> Option<Condition> {
    reader.require(&["Condition"]);
    match reader.get("Condition")? {
        Value::Bool(value) => Some(Condition::Query(Template::Literal(Value::Bool(*value)))),
        Value::String(text) if text.starts_with("{%") => reading
            .query(text, field, &reader.below("Condition"))
            .map(Condition::Query),
        _ => {
            reader.schema(
                "Condition",
                "Expected a JSONata expression or a value of type Boolean",
            );
            None
        }
    }
}

/// How deep conditions may nest; JSON ends at 128.
const DEPTH: usize = 60;

fn condition(reader: &Reader<'_>, depth: usize) -> Option<Condition> {
    let operators: Vec<&String> = reader.names().filter(|name| is_operator(name)).collect();
    let [operator] = operators.as_slice() else {
        reader
            .report
            .schema("Each Choice Rule has exactly one comparison operator", &reader.at);
        // One fault is told once.
        reader.get("Variable");
        for operator in operators {
            reader.get(operator);
        }
        return None;
    };
    if depth > DEPTH {
        reader
            .report
            .schema("The rules are too deeply nested", &reader.at);
        return None;
    }
    let nested = |value: &Value, at: &str| {
        let one = Reader::of(value, at, reader.report)?;
        one.string("Comment");
        let condition = condition(&one, depth + 1);
        one.finish(QueryLanguage::JsonPath);
        condition
    };
    match operator.as_str() {
        "Not" => {
            nested(reader.get("Not")?, &reader.below("Not")).map(|inner| Condition::Not(Box::new(inner)))
        }
        name @ ("And" | "Or") => {
            let all = reader.array(name)?;
            if all.is_empty() {
                reader.schema(name, format!("The value of '{name}' must not be empty"));
            }
            let at = reader.below(name);
            let conditions = all
                .iter()
                .enumerate()
                .filter_map(|(index, one)| nested(one, &format!("{at}/{index}")))
                .collect();
            Some(if name == "And" {
                Condition::And(conditions)
            } else {
                Condition::Or(conditions)
            })
        }
        name => {
            reader.require(&["Variable"]);
            let variable = reader
                .string("Variable")
                .and_then(|text| path(reader, "Variable", text));
            let comparison = comparison(reader, name);
            Some(Condition::Test(variable?, comparison?))
        }
    }
}

fn path(reader: &Reader<'_>, name: &str, text: &str) -> Option<Path> {
    Path::parse(text)
        .map_err(|fault| reader.schema(name, format!("Value is not a valid JSONPath: {fault}")))
        .ok()
}

fn is_operator(name: &str) -> bool {
    matches!(
        name,
        "And"
            | "Or"
            | "Not"
            | "StringMatches"
            | "IsNull"
            | "IsPresent"
            | "IsNumeric"
            | "IsString"
            | "IsBoolean"
            | "IsTimestamp"
    ) || ordered(name).is_some()
}

/// `NumericLessThanEqualsPath` taken apart: the type, the order, whether a path follows.
fn ordered(name: &str) -> Option<(&'static str, Ordered, bool)> {
    let (plain, by_path) = name
        .strip_suffix("Path")
        .map_or((name, false), |plain| (plain, true));
    let (kind, order) = ["String", "Numeric", "Timestamp", "Boolean"]
        .into_iter()
        .find_map(|kind| Some((kind, Ordered::named(plain.strip_prefix(kind)?)?)))?;
    (kind != "Boolean" || order == Ordered::Equals).then_some((kind, order, by_path))
}

fn comparison(reader: &Reader<'_>, name: &str) -> Option<Comparison> {
    if let Some((kind, order, by_path)) = ordered(name) {
        let literal = if by_path {
            Literal::Path(path(reader, name, reader.string(name)?)?)
        } else {
            literal(reader, name, kind)?
        };
        return Some(match kind {
            "String" => Comparison::String(order, literal),
            "Numeric" => Comparison::Numeric(order, literal),
            "Timestamp" => Comparison::Timestamp(order, literal),
            _ => Comparison::BooleanEquals(literal),
        });
    }
    if name == "StringMatches" {
        return reader
            .string(name)
            .map(|pattern| Comparison::StringMatches(pattern.to_owned()));
    }
    let expected = reader.boolean(name)?;
    Some(match name {
        "IsNull" => Comparison::IsNull(expected),
        "IsPresent" => Comparison::IsPresent(expected),
        "IsNumeric" => Comparison::IsNumeric(expected),
        "IsString" => Comparison::IsString(expected),
        "IsBoolean" => Comparison::IsBoolean(expected),
        _ => Comparison::IsTimestamp(expected),
    })
}

fn literal(reader: &Reader<'_>, name: &str, kind: &str) -> Option<Literal> {
    let value = reader.get(name)?;
    let fits = match kind {
        "String" => value.is_string(),
        "Numeric" => value.is_number(),
        "Timestamp" => value.as_str().is_some_and(|text| timestamp(text).is_some()),
        _ => value.is_boolean(),
    };
    if !fits {
        reader.schema(name, format!("Expected value of type {kind}"));
    }
    fits.then(|| Literal::Value(value.clone()))
}
