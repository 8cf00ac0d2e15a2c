//! Reading a pattern from left to right, always knowing where.

use crate::fault::Fault;

#[derive(Clone, Copy)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes past a word if it is next, white space before it left out.
    pub(crate) fn took(&mut self, word: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Like [`Self::took`] for a word of letters, in whichever case, that ends where the word ends.
    pub(crate) fn took_word(&mut self, word: &str) -> bool {
        self.space();
        let rest = self.rest();
        let found = rest
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.at += if found { word.len() } else { 0 };
        found
    }

    pub(crate) fn expect(&mut self, word: &str) -> Result<(), Fault> {
        if self.took(word) {
            return Ok(());
        }
        Err(self.fault(word))
    }

    pub(crate) fn fault(&self, wanted: impl Into<String>) -> Fault {
        Fault::new(self.at, wanted)
    }

    /// The text up to where a character is not of a kind.
    pub(crate) fn take_while(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A text in double quotes, in which a backslash takes the next character as it is; the first quote is next.
    pub(crate) fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, next)) = chars.next() {
            match next {
                '"' => {
                    self.at = start + offset + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                plain => text.push(plain),
            }
        }
        Err(Fault::new(start, "a closing quote"))
    }

    /// A regular expression between percent signs; the first is next.
    pub(crate) fn regex(&mut self) -> Result<regex::Regex, Fault> {
        let start = self.at;
        let body = &self.rest()[1..];
        let end = body
            .char_indices()
            .scan(false, |escaped, (at, next)| {
                let ends = next == '%' && !*escaped;
                *escaped = next == '\\' && !*escaped;
                Some((at, ends))
            })
            .find(|(_, ends)| *ends)
            .map(|(at, _)| at)
            .ok_or_else(|| Fault::new(start, "a closing percent sign"))?;
        self.at = start + end + 2;
        let expression = body[..end].replace("\\%", "%");
        regex::RegexBuilder::new(&expression)
            .size_limit(1 << 18)
            .build()
            .map_err(|_| Fault::new(start, "a regular expression"))
    }
}
