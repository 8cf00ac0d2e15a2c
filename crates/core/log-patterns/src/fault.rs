//! What is wrong with a filter pattern, and where: a filter that never matches looks like an application that has
//! nothing to say.

/// The first thing that is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at position {position}: expected {wanted}")]
pub struct Fault {
    /// Bytes from the start of the pattern.
    pub position: usize,
    /// What would have been right there.
    pub wanted: String,
}

impl Fault {
    pub(crate) fn new(position: usize, wanted: impl Into<String>) -> Self {
        Self {
            position,
            wanted: wanted.into(),
        }
    }
}
