//! What is wrong with an expression, and where.

use std::fmt;

/// Which kind of wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The text is no expression.
    Syntax,
    /// The text is an expression that means nothing: a name that nobody has, two arrays multiplied.
    Meaning,
    /// CloudWatch has it, Roadstead has not.
    Unsupported,
}

/// Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    pub kind: FaultKind,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at column {})", self.message, self.column)
    }
}

impl Fault {
    pub(crate) fn syntax(column: usize, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Syntax, column, message)
    }

    pub(crate) fn meaning(column: usize, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Meaning, column, message)
    }

    pub(crate) fn unsupported(column: usize, what: &str) -> Self {
        let message = format!("{what} is not supported by Roadstead yet");
        Self::new(FaultKind::Unsupported, column, message)
    }

    fn new(kind: FaultKind, column: usize, message: impl Into<String>) -> Self {
        Self {
            kind,
            column,
            message: message.into(),
        }
    }
}
