//! Where a document is at fault, and what the fault is.

use crate::document::Position;

/// A document that is not a policy of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (line {}, column {})", position.line, position.column)]
pub struct PolicyError {
    pub position: Position,
    pub reason: String,
}

pub(crate) type Result<T> = std::result::Result<T, PolicyError>;

pub(crate) fn fault<T>(position: Position, reason: impl Into<String>) -> Result<T> {
    Err(PolicyError {
        position,
        reason: reason.into(),
    })
}
