//! Words of a query, one at a time: whether a `/` divides or begins a regular expression, only the parser knows.

use crate::fault::Fault;
use crate::period::Period;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A name with its parts at dots and brackets: `a.b[0]` is `a`, `b`, `0`. Quoted by backticks or not.
    Name {
        parts: Vec<String>,
        quoted: bool,
    },
    Text(String),
    Number(f64),
    Period(Period),
    /// An operator or a bracket.
    Mark(&'static str),
    End,
}

pub(crate) type Place = (usize, usize);

#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// Longer ones first.
const MARKS: [&str; 22] = [
    "=~", "!=", "<=", ">=", "==", "|", ",", "(", ")", "[", "]", "=", "<", ">", "+", "-", "*", "/", "%", "^",
    ";", ".",
];

fn begins_name(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '@' | '_' | '`' | '$')
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '_' | '$')
}

impl<'a> Lexer<'a> {
    pub(crate) fn fault(&self, place: Place, message: impl Into<String>) -> Fault {
        Fault::at(self.text, place, message)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Over white space and comments, which go from `#` to the end of the line.
    pub(crate) fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    pub(crate) fn next(&mut self) -> Result<(Token, Place), Fault> {
        self.skip();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok((Token::End, (start, start)));
        };
        let token = if first == '"' || first == '\'' {
            Token::Text(self.quoted(first)?)
        } else if first.is_ascii_digit()
            || (first == '.' && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            self.number()?
        } else if begins_name(first) {
            self.name()?
        } else if let Some(mark) = MARKS.iter().find(|mark| self.rest().starts_with(**mark)) {
            self.at += mark.len();
            Token::Mark(mark)
        } else {
            let place = (start, start + first.len_utf8());
            return Err(self.fault(place, format!("unexpected symbol found {first}")));
        };
        Ok((token, (start, self.at)))
    }

    /// A regular expression in slashes, if one stands here.
    pub(crate) fn regex(&mut self) -> Result<Option<(String, Place)>, Fault> {
        self.skip();
        let start = self.at;
        if !self.rest().starts_with('/') {
            return Ok(None);
        }
        let mut pattern = String::new();
        let mut chars = self.rest()[1..].char_indices();
        while let Some((index, c)) = chars.next() {
            match c {
                '/' => {
                    self.at = start + 1 + index + 1;
                    return Ok(Some((pattern, (start, self.at))));
                }
                '\\' => match chars.next() {
                    Some((_, '/')) => pattern.push('/'),
                    Some((_, escaped)) => pattern.extend(['\\', escaped]),
                    None => {}
                },
                c => pattern.push(c),
            }
        }
        Err(self.fault(
            (start, self.text.len()),
            "the regular expression has no closing /",
        ))
    }

    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let start = self.at;
        let mut out = String::new();
        let mut chars = self.rest()[1..].char_indices();
        while let Some((index, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at = start + 1 + index + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\'' | '\\'))) => out.push(escaped),
                    Some((_, escaped)) => out.extend(['\\', escaped]),
                    None => {}
                },
                c => out.push(c),
            }
        }
        Err(self.fault(
            (start, self.text.len()),
            format!("the text has no closing {quote}"),
        ))
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let rest = self.rest();
        let mut end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let exponent = rest[end..].strip_prefix(['e', 'E']).map(|after| {
            let digits = after.strip_prefix(['+', '-']).unwrap_or(after);
            let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            (count, 1 + after.len() - digits.len() + count)
        });
        if let Some((1.., length)) = exponent {
            end += length;
        }
        let unit = &rest[end..];
        let unit = &unit[..unit.find(|c: char| !in_name(c)).unwrap_or(unit.len())];
        self.at += end + unit.len();
        let place = (start, self.at);
        let number: Option<f64> = rest[..end].parse().ok();
        let number = number.ok_or_else(|| self.fault(place, format!("{} is no number", &rest[..end])))?;
        if unit.is_empty() {
            return Ok(Token::Number(number));
        }
        let period = rest[..end].parse().ok().and_then(|count| Period::of(count, unit));
        let period = period.ok_or_else(|| {
            self.fault(
                place,
                format!("{}{unit} is no period such as 30s, 5m or 1h", &rest[..end]),
            )
        })?;
        Ok(Token::Period(period))
    }

    fn name(&mut self) -> Result<Token, Fault> {
        let (mut parts, mut all_quoted) = (Vec::new(), true);
        loop {
            let (part, quoted) = self.part()?;
            parts.push(part);
            all_quoted &= quoted;
            while let Some(index) = self.index() {
                parts.push(index);
            }
            let goes_on = |c: char| in_name(c) || c == '`';
            let Some(after) = self
                .rest()
                .strip_prefix('.')
                .filter(|after| after.starts_with(goes_on))
            else {
                break;
            };
            self.at = self.text.len() - after.len();
        }
        Ok(Token::Name {
            parts,
            quoted: all_quoted,
        })
    }

    fn part(&mut self) -> Result<(String, bool), Fault> {
        let (start, rest) = (self.at, self.rest());
        if let Some(inner) = rest.strip_prefix('`') {
            let Some(end) = inner.find('`').filter(|end| *end > 0) else {
                return Err(self.fault((start, self.text.len()), "the name has no closing `"));
            };
            self.at += end + 2;
            return Ok((inner[..end].to_owned(), true));
        }
        let end = rest.find(|c: char| !in_name(c)).unwrap_or(rest.len());
        self.at += end;
        Ok((rest[..end].to_owned(), false))
    }

    /// `[12]`
    fn index(&mut self) -> Option<String> {
        let inner = self.rest().strip_prefix('[')?;
        let end = inner.find(']')?;
        let digits = &inner[..end];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.at += end + 2;
        Some(digits.to_owned())
    }
}
