//! `[ip, user, ..., status = 4*, bytes > 1000]`: lines of columns between spaces, in which a text in quotes or brackets
//! is one column.

use crate::MAX_REGEX;
use crate::condition::Condition;
use crate::fault::Fault;
use crate::scan::Scanner;
use crate::value::Comparison;

#[derive(Clone, Debug)]
pub struct Columns {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Column {
        name: String,
        condition: Option<Condition<Comparison>>,
    },
    /// `...`: any number of columns that nobody names.
    Rest,
}

pub(crate) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

impl Columns {
    /// The opening bracket is at `at`.
    pub(crate) fn parse(text: &str, at: usize) -> Result<Self, Fault> {
        let mut scanner = Scanner::new(text, at);
        scanner.expect("[")?;
        let mut parts: Vec<Part> = Vec::new();
        loop {
            scanner.space();
            let at = scanner.at;
            if scanner.took("...") {
                if parts.iter().any(|part| matches!(part, Part::Rest)) {
                    return Err(Fault::new(at, "... once only"));
                }
                parts.push(Part::Rest);
            } else {
                parts.push(column(&mut scanner, parts.len())?);
            }
            if scanner.took("]") {
                break;
            }
            scanner.expect(",")?;
        }
        scanner.space();
        if !scanner.rest().is_empty() {
            return Err(scanner.fault("nothing after the closing bracket"));
        }
        let columns = Self { parts };
        if columns.regexes() > MAX_REGEX {
            return Err(Fault::new(at, format!("at most {MAX_REGEX} regular expressions")));
        }
        Ok(columns)
    }

    pub(crate) fn regexes(&self) -> usize {
        let mut comparisons = Vec::new();
        for part in &self.parts {
            if let Part::Column {
                condition: Some(condition),
                ..
            } = part
            {
                condition.each(&mut comparisons);
            }
        }
        comparisons.retain(|comparison| comparison.is_regex());
        comparisons.len()
    }

    /// The columns by their names, if there are as many as the pattern says and all conditions hold.
    pub(crate) fn find(&self, line: &str) -> Option<Vec<(&str, String)>> {
        let columns = split(line);
        let named = self
            .parts
            .iter()
            .filter(|part| matches!(part, Part::Column { .. }))
            .count();
        let rest = self.parts.iter().position(|part| matches!(part, Part::Rest));
        let skipped = match rest {
            Some(_) => columns.len().checked_sub(named)?,
            None if columns.len() == named => 0,
            None => return None,
        };
        let mut found = Vec::with_capacity(named);
        let mut columns = columns.into_iter();
        for part in &self.parts {
            match part {
                Part::Rest => columns.by_ref().take(skipped).for_each(drop),
                Part::Column { name, condition } => {
                    let text = columns.next()?;
                    let holds = |comparison: &Comparison| comparison.holds_text(&text);
                    if condition
                        .as_ref()
                        .is_some_and(|condition| !condition.holds(&holds))
                    {
                        return None;
                    }
                    found.push((name.as_str(), text));
                }
            }
        }
        Some(found)
    }
}

/// A column's name, with conditions that name it again: `w1 = ERROR || w1 = %WARN%`. Without a name it is called by
/// its number.
fn column(scanner: &mut Scanner<'_>, index: usize) -> Result<Part, Fault> {
    let at = scanner.at;
    let name = scanner.take_while(is_name).to_owned();
    scanner.space();
    if matches!(scanner.peek(), Some(',' | ']')) {
        let name = if name.is_empty() {
            (index + 1).to_string()
        } else {
            name
        };
        return Ok(Part::Column {
            name,
            condition: None,
        });
    }
    if name.is_empty() && scanner.peek() != Some('(') {
        return Err(scanner.fault("the name of a column"));
    }
    scanner.at = at;
    let mut known: Option<String> = None;
    let mut one = |scanner: &mut Scanner<'_>| {
        scanner.space();
        let at = scanner.at;
        let name = scanner.take_while(is_name);
        match &known {
            None if name.is_empty() => return Err(Fault::new(at, "the name of a column")),
            None => known = Some(name.to_owned()),
            Some(known) if known == name => {}
            Some(known) => return Err(Fault::new(at, format!("the same column again, {known}"))),
        }
        let plain = |c: char| !c.is_whitespace() && !matches!(c, ')' | ']' | '&' | '|' | '"' | '(' | ',');
        Comparison::parse(scanner, plain)
    };
    let condition = Condition::parse(scanner, &mut one)?;
    Ok(Part::Column {
        name: known.unwrap_or_default(),
        condition: Some(condition),
    })
}

/// The columns of a line, without the quotes or brackets around them.
fn split(line: &str) -> Vec<String> {
    let mut columns = Vec::new();
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        let closed = close.and_then(|close| Some((&rest[1..], rest[1..].find(close)?)));
        let (column, after) = match closed {
            Some((inner, end)) => (&inner[..end], &inner[end + 1..]),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        columns.push(column.to_owned());
        rest = after.trim_start();
    }
    columns
}
