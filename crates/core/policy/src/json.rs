//! JSON with the place of every value, since a refusal must name the place. Members keep their order, and a name
//! that stands twice is a fault: which of the two counted would be anybody's guess.

use crate::document::Position;
use crate::error::{Result, fault};

/// How deep values may lie in one another; policies need five.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) start: Position,
    pub(crate) end: Position,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) node: Node,
}

impl Value {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

pub(crate) fn read(text: &str) -> Result<Node> {
    let mut reader = Reader {
        rest: text,
        at: Position { line: 1, column: 1 },
    };
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if reader.rest.is_empty() {
        Ok(node)
    } else {
        fault(reader.at, "there is something behind the document's end")
    }
}

struct Reader<'a> {
    rest: &'a str,
    at: Position,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        if next == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(next)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn expect(&mut self, wanted: char, reason: &str) -> Result<()> {
        self.space();
        if self.peek() == Some(wanted) {
            self.next();
            Ok(())
        } else {
            fault(self.at, reason)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node> {
        let start = self.at;
        if depth > MAX_DEPTH {
            return fault(start, format!("values lie more than {MAX_DEPTH} deep"));
        }
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('a'..='z') => self.word()?,
            Some(_) => return fault(start, "a value is expected here"),
            None => return fault(start, "the document ends where a value is expected"),
        };
        Ok(Node {
            start,
            end: self.at,
            value,
        })
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.next();
        let mut members: Vec<Member> = Vec::new();
        self.space();
        if self.peek() == Some('}') {
            self.next();
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let at = self.at;
            if self.peek() != Some('"') {
                return fault(at, "the name of a member is expected here");
            }
            let name = self.string()?;
            if members.iter().any(|member| member.name == name) {
                return fault(at, format!("{name:?} stands twice"));
            }
            self.expect(':', "a colon is expected here")?;
            self.space();
            let node = self.value(depth + 1)?;
            members.push(Member { name, at, node });
            self.space();
            match self.peek() {
                Some(',') => self.next(),
                Some('}') => {
                    self.next();
                    return Ok(Value::Object(members));
                }
                _ => return fault(self.at, "a comma or a closing brace is expected here"),
            };
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value> {
        self.next();
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(']') {
            self.next();
            return Ok(Value::List(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(',') => self.next(),
                Some(']') => {
                    self.next();
                    return Ok(Value::List(items));
                }
                _ => return fault(self.at, "a comma or a closing bracket is expected here"),
            };
        }
    }

    fn string(&mut self) -> Result<String> {
        let start = self.at;
        self.next();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                Some(c) if c < ' ' => return fault(at, "a control character stands in a string"),
                Some(c) => text.push(c),
                None => return fault(start, "the string has no end"),
            }
        }
    }

    fn escape(&mut self, at: Position) -> Result<char> {
        Ok(match self.next() {
            Some('"') => '"',
            Some('\\') => '\\',
            Some('/') => '/',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let mut code = self.hex(at)?;
                if (0xD800..0xDC00).contains(&code) {
                    if self.next() != Some('\\') || self.next() != Some('u') {
                        return fault(at, "half of a surrogate pair stands alone");
                    }
                    let low = self.hex(at)?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return fault(at, "half of a surrogate pair stands alone");
                    }
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                }
                match char::from_u32(code) {
                    Some(c) => c,
                    None => return fault(at, "half of a surrogate pair stands alone"),
                }
            }
            _ => return fault(at, "this escape is not known"),
        })
    }

    fn hex(&mut self, at: Position) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            match self.next().and_then(|c| c.to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return fault(at, "four hexadecimal digits are expected here"),
            }
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c @ ('-' | '+' | '.' | 'e' | 'E' | '0'..='9')) = self.peek() {
            text.push(c);
            self.next();
        }
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let led = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let begins = digits.starts_with(|c: char| c.is_ascii_digit());
        let ends = digits.ends_with(|c: char| c.is_ascii_digit());
        let point = digits
            .split_once('.')
            .is_none_or(|(_, after)| after.starts_with(|c: char| c.is_ascii_digit()));
        if led || !begins || !ends || !point || text.parse::<f64>().is_err() {
            return fault(start, format!("{text:?} is not a number"));
        }
        Ok(Value::Number(text))
    }

    fn word(&mut self) -> Result<Value> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c @ 'a'..='z') = self.peek() {
            text.push(c);
            self.next();
        }
        match text.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => fault(start, "a value is expected here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_placed() {
        for (text, line, column) in [
            ("", 1, 1),
            ("{", 1, 2),
            ("{\n  \"a\": }", 2, 8),
            ("{\n  \"a\": 1,\n  \"a\": 2\n}", 3, 3),
            ("{} x", 1, 4),
            ("[1, 2", 1, 6),
            ("[01]", 1, 2),
            ("[1.]", 1, 2),
            ("\"\\ud800\"", 1, 2),
            ("\"ü\" ö", 1, 5),
            ("nul", 1, 1),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(
                (error.position.line, error.position.column),
                (line, column),
                "{text}: {error}"
            );
        }
        assert!(read(&"[".repeat(100)).is_err());
    }

    #[test]
    fn strings_are_unescaped() {
        let node = read(r#""a\u00e9\ud83d\ude00\n\"""#).expect("a string");
        assert_eq!(node.value, Value::Text("aé😀\n\"".into()));
    }
}
