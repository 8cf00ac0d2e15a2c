//! Which fields there are at a place of a query, and which are shown in the end.

use std::collections::HashMap;
use std::sync::Arc;

use crate::row::Field;

#[derive(Debug, Default)]
pub(super) struct Columns {
    /// What the query made, by the text that made it, without white space and in lower case.
    made: HashMap<String, Arc<str>>,
    /// In order of first mention.
    shown: Vec<Field>,
    /// The last `display` says all.
    display: Option<Vec<Field>>,
    /// Behind `stats`: only what was made is there.
    closed: bool,
}

pub(super) fn normal(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '_' | '$' | '.')
}

/// How far a text spells what is normal.
fn spelled(text: &str, normal: &str) -> Option<usize> {
    let mut wanted = normal.chars();
    let mut end = 0;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            continue;
        }
        for lower in c.to_lowercase() {
            match wanted.next() {
                Some(next) if next == lower => {}
                Some(_) => return None,
                None => {
                    let inside = text[..end].ends_with(is_word) && is_word(c) && at == end;
                    return (!inside).then_some(end);
                }
            }
        }
        end = at + c.len_utf8();
    }
    wanted.next().is_none().then_some(end)
}

impl Columns {
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// A field that the query makes and shows.
    pub(super) fn make(&mut self, name: &Arc<str>) {
        self.made.insert(normal(name), Arc::clone(name));
        self.show(Field::plain(name));
    }

    pub(super) fn show(&mut self, field: Field) {
        if !self.shown.iter().any(|known| known.name == field.name) {
            self.shown.push(field);
        }
    }

    pub(super) fn display(&mut self, fields: Vec<Field>) {
        self.display = Some(fields);
    }

    /// From here on there is nothing but these.
    pub(super) fn close(&mut self, names: &[Arc<str>]) {
        self.made.clear();
        self.shown.clear();
        self.display = None;
        self.closed = true;
        for name in names {
            self.make(name);
        }
    }

    /// The made field whose own expression a text begins with, and how long that is there. Names that are words are
    /// not looked for: they are read as any field.
    pub(super) fn spelled(&self, text: &str) -> Option<(Arc<str>, usize)> {
        let expressions = self
            .made
            .iter()
            .filter(|(normal, _)| normal.contains(|c: char| !is_word(c)));
        let found = expressions.filter_map(|(normal, name)| Some((Arc::clone(name), spelled(text, normal)?)));
        found.max_by_key(|(_, length)| *length)
    }

    /// Whether a field can be there.
    pub(super) fn knows(&self, field: &Field) -> bool {
        let made = |name: &str| self.made.values().any(|known| **known == *name);
        !self.closed || made(&field.name) || field.segments.first().is_some_and(|first| made(first))
    }

    pub(super) fn shown(&self) -> Vec<Field> {
        match &self.display {
            Some(fields) => fields.clone(),
            None if self.shown.is_empty() => vec![Field::plain("@timestamp"), Field::plain("@message")],
            None => self.shown.clone(),
        }
    }
}
