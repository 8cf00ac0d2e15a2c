//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_ecs::{self as types, errors as api};
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The messages are those of the service, so that scripts which read them keep working; the code each has is in
/// the conversion below.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that no state of the cloud would make right: `ClientException`.
    #[error("{0}")]
    Client(String),
    /// A member has a value it cannot have: `InvalidParameterException`.
    #[error("{0}")]
    InvalidParameter(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten:
    /// `InvalidParameterException`. `member` is its path, `containerDefinitions[0].links`.
    #[error("{member} is not supported by Roadstead yet.")]
    Unsupported { member: String },
    #[error("Cluster not found.")]
    ClusterNotFound,
    /// The cluster was deleted: `ClientException`.
    #[error("The referenced cluster was inactive.")]
    ClusterInactive,
    #[error("The Cluster cannot be deleted while Container Instances are active or draining.")]
    ClusterContainsContainerInstances,
    #[error("The Cluster cannot be deleted while Tasks are active.")]
    ClusterContainsTasks,
    #[error("The Cluster cannot be deleted while Services are active.")]
    ClusterContainsServices,
    #[error("Service not found.")]
    ServiceNotFound,
    #[error("Service was not ACTIVE.")]
    ServiceNotActive,
    #[error("TaskSet not found.")]
    TaskSetNotFound,
    #[error("Service deployment not found.")]
    ServiceDeploymentNotFound,
    /// The state that something is in does not allow what is asked: `ConflictException`.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    ResourceNotFound(String),
    /// Others kept changing what this call wanted to change.
    #[error("The request could not be completed because others keep changing the same resource; try again.")]
    Contended,
    #[error("reading or writing the records of the container service failed")]
    Store(#[from] roadstead_store::Error),
    /// Another service refused what this call needed of it; its error is passed on.
    #[error(transparent)]
    Other(#[from] ApiError),
}

impl Error {
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::Client(message.into())
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidParameter(message.into())
    }

    /// Refuses a member by its path.
    pub(crate) fn unsupported(member: impl Into<String>) -> Self {
        Self::Unsupported {
            member: member.into(),
        }
    }
}

/// Refuses the member if it asks for anything: present, and not an empty list, an empty map or false.
pub(crate) fn refuse<T: Asks>(member: &str, value: Option<T>) -> Result<()> {
    match value {
        Some(value) if value.asks() => Err(Error::unsupported(member)),
        _ => Ok(()),
    }
}

/// Whether a value that is present asks for something.
pub(crate) trait Asks {
    fn asks(&self) -> bool {
        true
    }
}

impl<T> Asks for Vec<T> {
    fn asks(&self) -> bool {
        !self.is_empty()
    }
}

impl<T> Asks for std::collections::BTreeMap<String, T> {
    fn asks(&self) -> bool {
        !self.is_empty()
    }
}

impl Asks for bool {
    fn asks(&self) -> bool {
        *self
    }
}

impl<T: Asks> Asks for &T {
    fn asks(&self) -> bool {
        (*self).asks()
    }
}

/// Types that ask for something whatever their value is.
macro_rules! always_asks {
    ($($type:ty),* $(,)?) => { $(impl Asks for $type {})* };
}

always_asks!(
    String,
    i32,
    i64,
    types::AutoScalingGroupProviderUpdate,
    types::CanaryConfiguration,
    types::LinearConfiguration,
    types::ClusterConfiguration,
    types::ClusterServiceConnectDefaultsRequest,
    types::CreateManagedInstancesProviderConfiguration,
    types::DockerVolumeConfiguration,
    types::EFSVolumeConfiguration,
    types::EphemeralStorage,
    types::FSxWindowsFileServerVolumeConfiguration,
    types::FirelensConfiguration,
    types::HealthCheck,
    types::IpcMode,
    types::PidMode,
    types::ProxyConfiguration,
    types::S3FilesVolumeConfiguration,
    types::UpdateManagedInstancesProviderConfiguration,
);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Client(_) | Error::ClusterInactive => api::client_exception(message),
            Error::InvalidParameter(_) | Error::Unsupported { .. } => {
                api::invalid_parameter_exception(message)
            }
            Error::ClusterNotFound => api::cluster_not_found_exception(message),
            Error::ClusterContainsContainerInstances => {
                api::cluster_contains_container_instances_exception(message)
            }
            Error::ClusterContainsTasks => api::cluster_contains_tasks_exception(message),
            Error::ClusterContainsServices => api::cluster_contains_services_exception(message),
            Error::ServiceNotFound => api::service_not_found_exception(message),
            Error::ServiceNotActive => api::service_not_active_exception(message),
            Error::TaskSetNotFound => api::task_set_not_found_exception(message),
            Error::ServiceDeploymentNotFound => api::service_deployment_not_found_exception(message),
            Error::Conflict(_) => api::conflict_exception(message),
            Error::ResourceNotFound(_) => api::resource_not_found_exception(message),
            Error::Contended => api::server_exception(message),
            Error::Store(source) => {
                tracing::error!(error = %source, "the store failed a call of the container service");
                if source.is_retryable() {
                    // One of the errors that the reference lists as common to all operations.
                    let message = "The service cannot reach its records at the moment. Try again.";
                    return ApiError::new("ServiceUnavailable", 503, message);
                }
                api::server_exception("The service could not read or write its state; see the daemon's log.")
            }
            Error::Other(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_code_and_status() {
        let check = |error: Error, code: &str, status: u16, words: &str| {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
            assert!(error.message.contains(words), "{error}");
        };
        check(Error::client("No."), "ClientException", 400, "No.");
        check(Error::invalid("No."), "InvalidParameterException", 400, "No.");
        check(
            Error::unsupported("links"),
            "InvalidParameterException",
            400,
            "links is not supported by Roadstead yet.",
        );
        check(
            Error::ClusterNotFound,
            "ClusterNotFoundException",
            400,
            "Cluster not found.",
        );
        check(Error::ClusterInactive, "ClientException", 400, "inactive");
        check(
            Error::ClusterContainsContainerInstances,
            "ClusterContainsContainerInstancesException",
            400,
            "Container Instances",
        );
        check(
            Error::ClusterContainsTasks,
            "ClusterContainsTasksException",
            400,
            "Tasks",
        );
        check(
            Error::ResourceNotFound("x".into()),
            "ResourceNotFoundException",
            400,
            "x",
        );
        check(
            Error::TaskSetNotFound,
            "TaskSetNotFoundException",
            400,
            "not found",
        );
        check(
            Error::ServiceDeploymentNotFound,
            "ServiceDeploymentNotFoundException",
            400,
            "not found",
        );
        check(Error::Conflict("No.".into()), "ConflictException", 400, "No.");
        check(Error::Contended, "ServerException", 500, "try again");
        check(
            Error::Store(roadstead_store::Error::Stopped),
            "ServerException",
            500,
            "state",
        );
        let away = roadstead_store::Error::Unavailable {
            doing: "the commit",
            detail: "no leader".into(),
        };
        check(Error::Store(away), "ServiceUnavailable", 503, "Try again");
        check(
            Error::Other(ApiError::client("InvalidSubnetID.NotFound", "x")),
            "InvalidSubnetID.NotFound",
            400,
            "x",
        );
    }

    #[test]
    fn what_asks_for_nothing_is_not_refused() {
        assert!(refuse("a", Some(false)).is_ok());
        assert!(refuse("a", Some(Vec::<String>::new())).is_ok());
        assert!(refuse::<bool>("a", None).is_ok());
        assert!(refuse("a", Some(true)).is_err());
        assert!(refuse("a", Some(0)).is_err());
    }
}
