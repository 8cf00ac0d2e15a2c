//! JSON that remembers where everything stood, so that a fault can be shown to whoever wrote it. Values themselves
//! are read by `serde_json`; only their places are found here.

use serde_json::Value;

use crate::fault::Fault;

/// Deeper patterns are refused.
const MAX_DEPTH: usize = 64;

pub(crate) struct Node {
    /// Bytes from the start of the text.
    pub at: usize,
    pub kind: Kind,
}

pub(crate) enum Kind {
    Object(Vec<(Name, Node)>),
    Array(Vec<Node>),
    /// A string, a number, true, false or null.
    Scalar(Value),
}

pub(crate) struct Name {
    pub at: usize,
    pub text: String,
}

pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.fault("Nothing may follow the pattern"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, reason: &str) -> Fault {
        Fault::new(self.text, self.at, reason)
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at += rest.len() - trimmed.len();
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past a character if it is next.
    fn took(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(self.fault("The pattern is nested too deeply"));
        }
        let next = self.peek();
        let at = self.at;
        let kind = match next {
            Some(b'{') => Kind::Object(self.object(depth)?),
            Some(b'[') => Kind::Array(self.array(depth)?),
            Some(b'"') => Kind::Scalar(Value::String(self.string()?)),
            Some(_) => Kind::Scalar(self.word()?),
            None => return Err(self.fault("The JSON ends too early")),
        };
        Ok(Node { at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Name, Node)>, Fault> {
        self.at += 1;
        let mut members: Vec<(Name, Node)> = Vec::new();
        if self.took(b'}') {
            return Ok(members);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fault("Expected a field name in double quotes"));
            }
            let at = self.at;
            let text = self.string()?;
            if members.iter().any(|(name, _)| name.text == text) {
                return Err(Fault::new(
                    self.text,
                    at,
                    format!("The field {text:?} is there twice"),
                ));
            }
            if !self.took(b':') {
                return Err(self.fault("Expected a colon"));
            }
            members.push((Name { at, text }, self.value(depth + 1)?));
            if self.took(b'}') {
                return Ok(members);
            }
            if !self.took(b',') {
                return Err(self.fault("Expected a comma or a closing brace"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        self.at += 1;
        let mut members = Vec::new();
        if self.took(b']') {
            return Ok(members);
        }
        loop {
            members.push(self.value(depth + 1)?);
            if self.took(b']') {
                return Ok(members);
            }
            if !self.took(b',') {
                return Err(self.fault("Expected a comma or a closing bracket"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => {
                    let read = serde_json::from_str(&self.text[self.at..=end])
                        .map_err(|_| self.fault("This is not a JSON string"))?;
                    self.at = end + 1;
                    return Ok(read);
                }
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        Err(self.fault("A string without its closing quote"))
    }

    /// A number, true, false or null.
    fn word(&mut self) -> Result<Value, Fault> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let read = serde_json::from_str(&rest[..end]).map_err(|_| self.fault("This is not a JSON value"))?;
        self.at += end;
        Ok(read)
    }
}
