//! What is wrong with options: one type, so that control plane and agent say it in the same words.

use crate::delivery::DeliveryFault;

/// Why options cannot be taken, in the words of RegisterTaskDefinition's ClientException where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Without an option that there must be.
    #[error("Log driver awslogs requires options: {0}")]
    Requires(String),
    /// An option that is none of this driver's.
    #[error("Log driver awslogs disallows options: {0}")]
    Disallows(String),
    #[error("Log driver awslogs option '{0}' should not be null or empty.")]
    Empty(&'static str),
    #[error(
        "Log driver awslogs option 'awslogs-create-group' should only be set to 'true', else omit option."
    )]
    CreateGroup,
    #[error("Log driver awslogs option '{option}' cannot be {value:?}: {why}")]
    Value {
        option: &'static str,
        value: String,
        why: String,
    },
    #[error(
        "Log driver awslogs options 'awslogs-datetime-format' and 'awslogs-multiline-pattern' cannot both be configured."
    )]
    BothPatterns,
    #[error("Log driver awslogs option 'max-buffer-size' is only supported with 'mode' = 'non-blocking'.")]
    BufferOfBlocking,
    /// An option of the driver's that would have no effect here.
    #[error("The log driver awslogs option '{0}' is not supported by Roadstead yet.")]
    Unsupported(&'static str),
}

impl From<DeliveryFault> for Fault {
    fn from(fault: DeliveryFault) -> Self {
        match fault {
            DeliveryFault::Value { option, value, why } => Self::Value {
                option,
                value,
                why: why.to_owned(),
            },
            DeliveryFault::BufferOfBlocking => Self::BufferOfBlocking,
        }
    }
}
