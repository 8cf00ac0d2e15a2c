//! `{ $.status = 5* && $.latency > 100 }`: conditions on lines that are JSON objects.

use serde_json::Value;

use crate::MAX_REGEX;
use crate::condition::Condition;
use crate::fault::Fault;
use crate::scan::Scanner;
use crate::value::Comparison;

#[derive(Clone, Debug)]
pub struct JsonPattern(Condition<Test>);

#[derive(Clone, Debug)]
struct Test {
    path: Path,
    asks: Asks,
}

#[derive(Clone, Debug)]
enum Asks {
    Compare(Comparison),
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
}

/// `$.a.b[0]['c d']`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl Path {
    /// A whole text that is a path.
    pub(crate) fn parse_whole(text: &str) -> Option<Self> {
        let mut scanner = Scanner::new(text, 0);
        let path = Self::parse(&mut scanner).ok()?;
        scanner.rest().is_empty().then_some(path)
    }

    fn parse(scanner: &mut Scanner<'_>) -> Result<Self, Fault> {
        if scanner.peek() != Some('$') {
            return Err(scanner.fault("a field such as $.status"));
        }
        scanner.at += 1;
        let mut steps = Vec::new();
        loop {
            match scanner.peek() {
                Some('.') => {
                    scanner.at += 1;
                    let name = scanner
                        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '#' | ':'));
                    if name.is_empty() {
                        return Err(scanner.fault("the name of a field"));
                    }
                    steps.push(Step::Field(name.to_owned()));
                }
                Some('[') => {
                    scanner.at += 1;
                    let step = match scanner.peek() {
                        Some('"') => Step::Field(scanner.quoted()?),
                        Some('\'') => {
                            scanner.at += 1;
                            let name = scanner.take_while(|c| c != '\'').to_owned();
                            scanner.expect("'")?;
                            Step::Field(name)
                        }
                        _ => {
                            let at = scanner.at;
                            let digits = scanner.take_while(|c| c.is_ascii_digit());
                            let index = digits
                                .parse()
                                .map_err(|_| Fault::new(at, "a number or a quoted name"))?;
                            Step::Index(index)
                        }
                    };
                    scanner.expect("]")?;
                    steps.push(step);
                }
                _ => break,
            }
        }
        if steps.is_empty() {
            return Err(scanner.fault("a dot and the name of a field"));
        }
        Ok(Self(steps))
    }

    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Index(index) => value.get(index),
        })
    }
}

impl JsonPattern {
    /// The opening brace is at `at`.
    pub(crate) fn parse(text: &str, at: usize) -> Result<Self, Fault> {
        let mut scanner = Scanner::new(text, at);
        scanner.expect("{")?;
        let condition = Condition::parse(&mut scanner, &mut test)?;
        scanner.expect("}")?;
        scanner.space();
        if !scanner.rest().is_empty() {
            return Err(scanner.fault("nothing after the closing brace"));
        }
        let pattern = Self(condition);
        if pattern.regexes() > MAX_REGEX {
            return Err(Fault::new(at, format!("at most {MAX_REGEX} regular expressions")));
        }
        Ok(pattern)
    }

    pub(crate) fn regexes(&self) -> usize {
        let mut tests = Vec::new();
        self.0.each(&mut tests);
        tests.retain(|test| matches!(&test.asks, Asks::Compare(comparison) if comparison.is_regex()));
        tests.len()
    }

    /// The line as JSON, if it matches.
    pub(crate) fn find(&self, line: &str) -> Option<Value> {
        let value: Value = serde_json::from_str(line.trim()).ok().filter(Value::is_object)?;
        self.0.holds(&|test| test.holds(&value)).then_some(value)
    }
}

fn test(scanner: &mut Scanner<'_>) -> Result<Test, Fault> {
    scanner.space();
    let path = Path::parse(scanner)?;
    let asks = if scanner.took_word("IS") {
        if scanner.took_word("NULL") {
            Asks::IsNull
        } else if scanner.took_word("TRUE") {
            Asks::IsTrue
        } else if scanner.took_word("FALSE") {
            Asks::IsFalse
        } else {
            return Err(scanner.fault("NULL, TRUE or FALSE"));
        }
    } else if scanner.took_word("NOT") {
        if !scanner.took_word("EXISTS") {
            return Err(scanner.fault("EXISTS"));
        }
        Asks::NotExists
    } else {
        let plain = |c: char| !c.is_whitespace() && !matches!(c, ')' | '}' | '&' | '|' | '"' | '(' | '{');
        Asks::Compare(Comparison::parse(scanner, plain)?)
    };
    Ok(Test { path, asks })
}

impl Test {
    /// A field that is not there meets nothing but NOT EXISTS.
    fn holds(&self, line: &Value) -> bool {
        let found = self.path.find(line);
        match (&self.asks, found) {
            (Asks::NotExists, found) => found.is_none(),
            (_, None) => false,
            (Asks::IsNull, Some(value)) => value.is_null(),
            (Asks::IsTrue, Some(value)) => value == &Value::Bool(true),
            (Asks::IsFalse, Some(value)) => value == &Value::Bool(false),
            (Asks::Compare(comparison), Some(value)) => match value {
                Value::String(text) => comparison.holds_text(text),
                Value::Number(number) => number
                    .as_f64()
                    .is_some_and(|value| comparison.holds_number(value, &number.to_string())),
                Value::Bool(flag) => comparison.holds_text(if *flag { "true" } else { "false" }),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            },
        }
    }
}
