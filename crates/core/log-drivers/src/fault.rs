//! What is wrong with options: one type, so that control plane and agent say it in the same words.

/// Why options cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// In Docker's words.
    #[error("unknown log opt '{option}' for {driver} log driver")]
    Unknown { driver: &'static str, option: String },
    /// An option of the driver's that would have no effect here.
    #[error("The log driver {driver} option '{option}' is not supported by Roadstead yet.")]
    Unsupported { driver: &'static str, option: String },
    #[error("Log driver {driver} option '{option}' cannot be {value:?}: {why}")]
    Value {
        driver: &'static str,
        option: &'static str,
        value: String,
        why: String,
    },
    #[error("Log driver {driver} requires options: {option}")]
    Requires {
        driver: &'static str,
        option: &'static str,
    },
    /// An option that only counts together with another one.
    #[error("Log driver {driver} option '{option}' is only supported with {with}.")]
    Without {
        driver: &'static str,
        option: &'static str,
        with: &'static str,
    },
}
