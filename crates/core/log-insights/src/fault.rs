//! What is wrong with a query, and where.

/// The first thing that is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Characters from the start of the query.
    pub start: usize,
    /// The first character behind it.
    pub end: usize,
    pub message: String,
}

impl Fault {
    /// At bytes of the text, which are told as characters.
    pub(crate) fn at(text: &str, (from, to): (usize, usize), message: impl Into<String>) -> Self {
        let characters = |bytes: usize| text.get(..bytes).unwrap_or(text).chars().count();
        Self {
            start: characters(from),
            end: characters(to),
            message: message.into(),
        }
    }
}
