//! What is wrong with an expression, and where: a schedule that never fires is found late, so it must be refused
//! with more than "not valid".

/// The first thing that is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at position {position}: expected {wanted}")]
pub struct Fault {
    /// Bytes from the start of the expression.
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

    /// The same fault of a part that begins so many bytes into the whole.
    pub(crate) fn moved(self, by: usize) -> Self {
        Self {
            position: self.position + by,
            wanted: self.wanted,
        }
    }
}
