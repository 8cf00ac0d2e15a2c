//! What is wrong with options: one type, so that control plane and agent say it in the same words.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("Log driver {driver} requires options: {option}")]
    Requires {
        driver: &'static str,
        option: &'static str,
    },
    #[error("Log driver {driver} disallows options: {option}")]
    Disallows { driver: &'static str, option: String },
    #[error("Log driver {driver} option '{option}' cannot be {value:?}: {why}")]
    Value {
        driver: &'static str,
        option: String,
        value: String,
        why: String,
    },
    /// An option of the driver's that would have no effect here.
    #[error("The log driver {driver} option '{option}' is not supported by Roadstead yet.")]
    Unsupported { driver: &'static str, option: String },
}
