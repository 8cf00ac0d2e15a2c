//! Reads the XML that clients send: elements, attributes, text, CDATA, the five entities and character
//! references. Document types are refused: they carry nothing a request needs and much that harms.

/// Deeper than any model nests.
const MAX_DEPTH: usize = 64;
/// Elements of one document.
const MAX_ELEMENTS: usize = 200_000;

/// The text is no XML that is read here: what, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct XmlError {
    pub reason: &'static str,
    pub at: usize,
}

/// An element: its name as written, its attributes as written, its children and its own text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    /// All text directly inside, joined.
    pub text: String,
}

impl Element {
    /// The name without its prefix.
    pub fn local(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or_default()
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The root element of a document.
///
/// # Errors
/// [`XmlError`]: the text is not UTF-8, not well-formed, has a document type, or is nested too deeply.
pub fn parse(text: &[u8]) -> Result<Element, XmlError> {
    let text = std::str::from_utf8(text).map_err(|error| XmlError {
        reason: "a byte that is not UTF-8",
        at: error.valid_up_to(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Reader {
        text,
        at: 0,
        elements: 0,
    }
    .document()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T, XmlError> {
        Err(XmlError { reason, at: self.at })
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// What stands before `token`, which is passed over.
    fn until(&mut self, token: &str, reason: &'static str) -> Result<&'a str, XmlError> {
        match self.rest().find(token) {
            Some(end) => {
                let inner = &self.rest()[..end];
                self.at += end + token.len();
                Ok(inner)
            }
            None => self.fail(reason),
        }
    }

    fn space(&mut self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += rest.len() - trimmed.len();
        trimmed.len() != rest.len()
    }

    fn document(mut self) -> Result<Element, XmlError> {
        self.misc()?;
        if !self.take("<") {
            return self.fail("no element");
        }
        let root = self.elements()?;
        self.misc()?;
        if self.rest().is_empty() {
            Ok(root)
        } else {
            self.fail("text after the root element")
        }
    }

    /// Declarations, comments and space around the root.
    fn misc(&mut self) -> Result<(), XmlError> {
        loop {
            self.space();
            if self.take("<?") {
                self.until("?>", "an instruction without end")?;
            } else if self.take("<!--") {
                self.until("-->", "a comment without end")?;
            } else if self.rest().starts_with("<!") {
                return self.fail("a document type, which is refused,");
            } else {
                return Ok(());
            }
        }
    }

    /// The element whose `<` has been read, and everything inside. A stack of its own, not the thread's.
    fn elements(&mut self) -> Result<Element, XmlError> {
        let (root, closed) = self.open_tag()?;
        if closed {
            return Ok(root);
        }
        let mut stack = vec![root];
        loop {
            let next = self.rest().find(['<', '&']).unwrap_or(self.rest().len());
            let text = &self.rest()[..next];
            let Some(top) = stack.last_mut() else {
                return self.fail("an end without a start");
            };
            top.text.push_str(text);
            self.at += next;
            if self.rest().is_empty() {
                return self.fail("an element without end");
            }
            if self.rest().starts_with('&') {
                let c = self.reference()?;
                if let Some(top) = stack.last_mut() {
                    top.text.push(c);
                }
            } else if self.take("<![CDATA[") {
                let text = self.until("]]>", "a CDATA section without end")?;
                if let Some(top) = stack.last_mut() {
                    top.text.push_str(text);
                }
            } else if self.take("<!--") {
                self.until("-->", "a comment without end")?;
            } else if self.take("<?") {
                self.until("?>", "an instruction without end")?;
            } else if self.take("</") {
                let name = self.until(">", "an end without its >")?.trim_end();
                match stack.pop() {
                    Some(done) if done.name == name => match stack.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    },
                    _ => return self.fail("an end that fits no start"),
                }
            } else if self.take("<") {
                let (element, closed) = self.open_tag()?;
                if !closed {
                    if stack.len() >= MAX_DEPTH {
                        return self.fail("an element nested more than 64 deep");
                    }
                    stack.push(element);
                } else if let Some(parent) = stack.last_mut() {
                    parent.children.push(element);
                }
            }
        }
    }

    fn name(&mut self) -> Result<String, XmlError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':') || c == '\u{b7}'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() || name.starts_with(|c: char| c.is_numeric() || matches!(c, '-' | '.')) {
            return self.fail("no name where one is wanted");
        }
        self.at += end;
        Ok(name.to_owned())
    }

    /// After `<`: the element without its content, and whether it has none.
    fn open_tag(&mut self) -> Result<(Element, bool), XmlError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return self.fail("more than 200000 elements");
        }
        let mut element = Element {
            name: self.name()?,
            ..Element::default()
        };
        loop {
            let spaced = self.space();
            if self.take("/>") {
                return Ok((element, true));
            }
            if self.take(">") {
                return Ok((element, false));
            }
            if !spaced {
                return self.fail("no space before an attribute");
            }
            let name = self.name()?;
            if element.attribute(&name).is_some() {
                return self.fail("an attribute twice");
            }
            self.space();
            if !self.take("=") {
                return self.fail("an attribute without value");
            }
            self.space();
            let quote = match self.rest().chars().next() {
                Some('"') => "\"",
                Some('\'') => "'",
                _ => return self.fail("a value without quotes"),
            };
            self.at += 1;
            let value = self.attribute_value(quote)?;
            element.attributes.push((name, value));
        }
    }

    fn attribute_value(&mut self, quote: &'static str) -> Result<String, XmlError> {
        let mut value = String::new();
        loop {
            let end = self.rest().find(['<', '&', '"', '\'']);
            let Some(end) = end else {
                return self.fail("a value without end");
            };
            value.push_str(&self.rest()[..end]);
            self.at += end;
            if self.take(quote) {
                return Ok(value);
            }
            match self.rest().chars().next() {
                Some('&') => value.push(self.reference()?),
                Some('<') => return self.fail("a < inside a value"),
                Some(other) => {
                    value.push(other);
                    self.at += other.len_utf8();
                }
                None => return self.fail("a value without end"),
            }
        }
    }

    fn reference(&mut self) -> Result<char, XmlError> {
        let start = self.at;
        self.at += 1;
        // The longest that means anything is &#x10FFFF;
        let end = self.rest().bytes().take(10).position(|byte| byte == b';');
        let Some(end) = end else {
            self.at = start;
            return self.fail("a & without its ;");
        };
        let name = &self.rest()[..end];
        self.at += end + 1;
        let found = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            name => name.strip_prefix('#').and_then(|number| {
                let number = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                number.ok().and_then(char::from_u32).filter(|c| *c != '\0')
            }),
        };
        match found {
            Some(c) => Ok(c),
            None => {
                self.at = start;
                self.fail("an entity that is not known")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let text = "\u{feff}<?xml version='1.0'?><!-- a --><a:b xmlns:a=\"u\" x='1 &amp; 2'>t&#65;<c/><![CDATA[<&>]]><c>\u{e9}</c ></a:b>\n";
        let root = parse(text.as_bytes()).expect("parses");
        assert_eq!((root.local(), root.text.as_str()), ("b", "tA<&>"));
        assert_eq!(root.attribute("x"), Some("1 & 2"));
        assert_eq!(root.children.len(), 2);
        assert_eq!(root.children[1].text, "\u{e9}");
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        let deep = "<a>".repeat(65);
        for text in [
            "",
            "x",
            "<",
            "<a",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<a x=1/>",
            "<a x='1' x='2'/>",
            "<a x='<'/>",
            "<a>&nope;</a>",
            "<a>&#0;</a>",
            "<a>&amp</a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<1/>",
            "<a>\u{0}</a",
            &deep,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }
}
