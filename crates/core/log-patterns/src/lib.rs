//! Which log lines a filter wants, and what it takes from them. The language is CloudWatch Logs' ("Filter pattern
//! syntax for metric filters, subscription filters, filter log events, and Live Tail"): terms for plain lines, a
//! condition in braces for JSON, a list in brackets for lines of columns.

mod columns;
mod condition;
mod fault;
mod json;
mod scan;
mod terms;
mod value;

use std::str::FromStr;

pub use fault::Fault;

/// Longer patterns are refused; the API allows as many.
pub const MAX_LENGTH: usize = 1024;
/// As many regular expressions as one pattern may have.
pub const MAX_REGEX: usize = 2;

/// A filter pattern, understood.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Every line.
    All,
    Terms(Box<terms::Terms>),
    Json(Box<json::JsonPattern>),
    Columns(Box<columns::Columns>),
}

/// What a line that matched holds, by names such as `$.latency` or `$status`.
pub enum Match<'a> {
    Plain,
    Json(serde_json::Value),
    Columns(Vec<(&'a str, String)>),
}

impl FromStr for Pattern {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_LENGTH {
            return Err(Fault::new(MAX_LENGTH, format!("at most {MAX_LENGTH} characters")));
        }
        let trimmed = text.trim_start();
        let at = text.len() - trimmed.len();
        match trimmed.chars().next() {
            None => Ok(Self::All),
            Some('{') => json::JsonPattern::parse(text, at).map(|json| Self::Json(Box::new(json))),
            Some('[') => columns::Columns::parse(text, at).map(|columns| Self::Columns(Box::new(columns))),
            Some(_) => terms::Terms::parse(text).map(|terms| Self::Terms(Box::new(terms))),
        }
    }
}

impl Pattern {
    /// How many regular expressions it has.
    pub fn regexes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Terms(terms) => terms.regexes(),
            Self::Json(json) => json.regexes(),
            Self::Columns(columns) => columns.regexes(),
        }
    }

    pub fn matches(&self, line: &str) -> bool {
        self.find(line).is_some()
    }

    /// What the line holds, if it matches.
    pub fn find(&self, line: &str) -> Option<Match<'_>> {
        match self {
            Self::All => Some(Match::Plain),
            Self::Terms(terms) => terms.matches(line).then_some(Match::Plain),
            Self::Json(json) => json.find(line).map(Match::Json),
            Self::Columns(columns) => columns.find(line).map(Match::Columns),
        }
    }
}

impl Match<'_> {
    /// The text of a field: `$.a.b` of JSON, `$name` of columns.
    pub fn field(&self, name: &str) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Json(value) => {
                let path = json::Path::parse_whole(name)?;
                match path.find(value)? {
                    serde_json::Value::String(text) => Some(text.clone()),
                    serde_json::Value::Null => None,
                    other => Some(other.to_string()),
                }
            }
            Self::Columns(columns) => {
                let name = name.strip_prefix('$')?;
                let found = columns.iter().find(|(known, _)| *known == name)?;
                Some(found.1.clone())
            }
        }
    }

    /// Every field by its name, as TestMetricFilter shows them.
    pub fn fields(&self) -> Vec<(String, String)> {
        match self {
            Self::Plain => Vec::new(),
            Self::Json(_) => Vec::new(),
            Self::Columns(columns) => columns
                .iter()
                .map(|(name, text)| (format!("${name}"), text.clone()))
                .collect(),
        }
    }
}

/// Whether a name is one that a field can be taken by: `$.a.b[0]` or `$column`.
pub fn is_field(name: &str) -> bool {
    json::Path::parse_whole(name).is_some()
        || name
            .strip_prefix('$')
            .is_some_and(|column| !column.is_empty() && column.chars().all(columns::is_name))
}
