//! What a field is compared with, in conditions of both kinds.

use regex::Regex;

use crate::fault::Fault;
use crate::scan::Scanner;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Result<Self, Fault> {
        for (text, operator) in [
            ("!=", Self::NotEqual),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ] {
            if scanner.took(text) {
                return Ok(operator);
            }
        }
        Err(scanner.fault("=, !=, <, <=, > or >="))
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Number(f64),
    /// Parts between stars; one part if there is none.
    Text(Vec<String>),
    Regex(Regex),
}

/// A comparison of one value.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    operator: Operator,
    wanted: Wanted,
}

impl Comparison {
    /// An operator and a value. `plain` says which characters a text without quotes may have.
    pub(crate) fn parse(scanner: &mut Scanner<'_>, plain: impl Fn(char) -> bool) -> Result<Self, Fault> {
        let operator = Operator::parse(scanner)?;
        scanner.space();
        let at = scanner.at;
        let wanted = match scanner.peek() {
            Some('"') => Wanted::Text(stars(&scanner.quoted()?)),
            Some('%') => Wanted::Regex(scanner.regex()?),
            _ => {
                let word = scanner.take_while(plain);
                if word.is_empty() {
                    return Err(Fault::new(at, "a number, a text or a regular expression"));
                }
                match word.parse::<f64>() {
                    Ok(number) if number.is_finite() => Wanted::Number(number),
                    _ => Wanted::Text(stars(word)),
                }
            }
        };
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordered && !matches!(wanted, Wanted::Number(_)) {
            return Err(Fault::new(
                at,
                "a number, which alone is less or more than another",
            ));
        }
        Ok(Self { operator, wanted })
    }

    /// Of a text, as in a column; a number is compared with it if it is one.
    pub(crate) fn holds_text(&self, text: &str) -> bool {
        match &self.wanted {
            Wanted::Number(wanted) => match text.trim().parse::<f64>() {
                Ok(number) => self.operator.holds(number, *wanted),
                Err(_) => self.operator == Operator::NotEqual,
            },
            Wanted::Text(parts) => fits(parts, text) == (self.operator == Operator::Equal),
            Wanted::Regex(regex) => regex.is_match(text) == (self.operator == Operator::Equal),
        }
    }

    /// Of a number, as in JSON.
    pub(crate) fn holds_number(&self, number: f64, text: &str) -> bool {
        match &self.wanted {
            Wanted::Number(wanted) => self.operator.holds(number, *wanted),
            Wanted::Text(_) | Wanted::Regex(_) => self.holds_text(text),
        }
    }

    pub(crate) fn is_regex(&self) -> bool {
        matches!(self.wanted, Wanted::Regex(_))
    }
}

fn stars(text: &str) -> Vec<String> {
    text.split('*').map(str::to_owned).collect()
}

/// Whether a text is the parts with anything between them.
fn fits(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|whole| whole == text);
    };
    let Some(rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
