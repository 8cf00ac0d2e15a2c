//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_stepfunctions::errors as api;
use roadstead_protocol::{ApiError, Value};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Invalid Arn: '{0}'")]
    InvalidArn(String),
    #[error("Invalid Arn: 'Invalid ARN prefix: {0}'")]
    NoArn(String),
    #[error("Invalid Role Arn: '{0}'")]
    InvalidRole(String),
    /// An ARN of something that the operation is not for.
    #[error("Invalid Arn: 'Resource type not valid in this context: {0}'")]
    WrongResource(String),
    #[error("Invalid Name: '{0}'")]
    InvalidName(String),
    /// What `CreateStateMachine` says of a definition.
    #[error("{0}")]
    InvalidDefinition(String),
    #[error("Invalid State Machine Execution Input: '{0}'")]
    InvalidInput(String),
    #[error("{0}")]
    Validation(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten: `ValidationException`.
    #[error("{0} is not supported by Roadstead yet.")]
    Unsupported(String),
    /// Of a type of state machine that the operation is not there for.
    #[error("This operation is not supported by this type of state machine")]
    WrongType,
    /// More executions in memory than there can be.
    #[error("There are as many Express executions under way as there can be: {0}. Try again later.")]
    Throttled(usize),
    #[error("The service is ending; try again.")]
    Stopping,
    #[error("Invalid Logging Configuration: {0}")]
    InvalidLogging(String),
    #[error("The state machine IAM Role is not authorized to access the Log Destination")]
    LogDestinationDenied,
    /// A service that is needed for an answer does not give one now.
    #[error("The log service cannot be asked now ({0}); try again.")]
    Unreachable(String),
    #[error("Tracing is not supported by Roadstead yet.")]
    UnsupportedTracing,
    #[error("Encryption with {0} is not supported by Roadstead yet.")]
    UnsupportedEncryption(String),
    #[error("State Machine Already Exists: '{0}'")]
    MachineExists(String),
    #[error("State Machine Does Not Exist: '{0}'")]
    NoSuchMachine(String),
    #[error("State Machine is being deleted: '{0}'")]
    Deleting(String),
    #[error("Execution Already Exists: '{0}'")]
    ExecutionExists(String),
    #[error("Execution Does Not Exist: '{0}'")]
    NoSuchExecution(String),
    #[error("The execution '{0}' cannot be redriven: {1}")]
    NotRedrivable(String, &'static str),
    #[error("Activity Already Exists: '{0}'. Its encryption configuration cannot be updated.")]
    ActivityExists(String),
    #[error("Activity Does Not Exist: '{0}'")]
    NoSuchActivity(String),
    #[error("There are as many activities as there can be: {0}.")]
    TooManyActivities(usize),
    #[error("The maximum number of workers concurrently polling for activity tasks has been reached.")]
    TooManyPolls,
    #[error("Resource not found: '{0}'")]
    NoSuchResource(String),
    /// What is there stands against it.
    #[error("{0}")]
    Conflict(String),
    #[error("There are as many {0} of this state machine as there can be: {1}.")]
    QuotaExceeded(&'static str, usize),
    #[error(
        "Either the definition, the role ARN, the LoggingConfiguration, the TracingConfiguration or the EncryptionConfiguration must be specified"
    )]
    NothingToUpdate,
    #[error(
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role."
    )]
    RoleNotTrusted,
    #[error("Invalid Token: '{0}'")]
    InvalidToken(String),
    #[error("Invalid Output: '{0}'")]
    InvalidOutput(String),
    /// The token's execution is not there.
    #[error("Task Does Not Exist: 'Provided task does not exist'")]
    NoSuchTask,
    /// The task was answered, or nobody waits for it any more.
    #[error("Task Timed Out: 'Provided task does not exist anymore'")]
    TaskTimedOut,
    #[error("There are as many state machines as there can be: {0}.")]
    TooManyMachines(usize),
    #[error("There are as many executions under way as there can be: {0}.")]
    TooManyRunning(usize),
    #[error("A resource can have at most 50 tags.")]
    TooManyTags,
    #[error("The same resource is being changed by others; try again.")]
    Contended,
    /// More than one record can hold.
    #[error("the records of state machines cannot hold it: {0}")]
    TooLarge(String),
    #[error("reading or writing the records of state machines failed: {0}")]
    Store(String),
}

impl From<roadstead_store::Error> for Error {
    fn from(error: roadstead_store::Error) -> Self {
        match error {
            roadstead_store::Error::Contended { .. } => Self::Contended,
            error @ roadstead_store::Error::TooLarge { .. } => Self::TooLarge(error.to_string()),
            error => Self::Store(error.to_string()),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::InvalidArn(_) | Error::NoArn(_) | Error::InvalidRole(_) | Error::WrongResource(_) => {
                api::invalid_arn(message)
            }
            Error::InvalidName(_) => api::invalid_name(message),
            Error::InvalidDefinition(_) => api::invalid_definition(message),
            Error::InvalidInput(_) => api::invalid_execution_input(message),
            Error::Validation(_) | Error::Unsupported(_) => api::validation_exception(message),
            Error::WrongType => api::state_machine_type_not_supported(message),
            Error::InvalidLogging(_) => api::invalid_logging_configuration(message),
            Error::UnsupportedTracing => api::invalid_tracing_configuration(message),
            Error::UnsupportedEncryption(_) => api::invalid_encryption_configuration(message),
            Error::MachineExists(_) => api::state_machine_already_exists(message),
            Error::NoSuchMachine(_) => api::state_machine_does_not_exist(message),
            Error::Deleting(_) => api::state_machine_deleting(message),
            Error::ExecutionExists(_) => api::execution_already_exists(message),
            Error::NoSuchExecution(_) => api::execution_does_not_exist(message),
            Error::NotRedrivable(..) => api::execution_not_redrivable(message),
            Error::ActivityExists(_) => api::activity_already_exists(message),
            Error::NoSuchActivity(_) => api::activity_does_not_exist(message),
            Error::TooManyActivities(_) => api::activity_limit_exceeded(message),
            Error::TooManyPolls => api::activity_worker_limit_exceeded(message),
            Error::NoSuchResource(name) => {
                api::resource_not_found(message).with_member("resourceName", Value::Str(name))
            }
            Error::NothingToUpdate => api::missing_required_parameter(message),
            // The model does not list it, but it is what the service answers.
            Error::RoleNotTrusted | Error::LogDestinationDenied => {
                ApiError::client("AccessDeniedException", message)
            }
            Error::InvalidToken(_) => api::invalid_token(message),
            Error::InvalidOutput(_) => api::invalid_output(message),
            Error::NoSuchTask => api::task_does_not_exist(message),
            Error::TaskTimedOut => api::task_timed_out(message),
            Error::TooManyMachines(_) => api::state_machine_limit_exceeded(message),
            Error::TooManyRunning(_) => api::execution_limit_exceeded(message),
            Error::Throttled(_) => ApiError::client("ThrottlingException", message),
            Error::Stopping | Error::Unreachable(_) => ApiError::new("ServiceUnavailable", 503, message),
            Error::TooManyTags => api::too_many_tags(message),
            Error::Contended | Error::Conflict(_) => api::conflict_exception(message),
            Error::QuotaExceeded(..) => api::service_quota_exceeded_exception(message),
            Error::TooLarge(_) | Error::Store(_) => {
                tracing::error!(error = %message, "a call of the state machines' service failed");
                ApiError::new(
                    "InternalFailure",
                    500,
                    "The service could not read or write its state; see the daemon's log.",
                )
            }
        }
    }
}
