//! Every error of the service in one place: the code and words a client of EC2 already matches on.
//! Source: the EC2 API reference, "Error codes for the Amazon EC2 API".

use roadstead_base::Caller;
use roadstead_protocol::ApiError;

/// Why the service could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use this block for default VPCs")]
    Cidr(#[from] roadstead_ipam::CidrError),
    #[error(
        "cannot make default VPCs in {cidr}: it has no room for a subnet of /28 in each of {zones} zones; choose a \
         larger block, such as a /24"
    )]
    DefaultVpcCidr { cidr: ipnet::Ipv4Net, zones: u8 },
    #[error("cannot offer {0} availability zones in a region; choose 1 to 26")]
    Zones(u8),
    #[error("reading the state of EC2 from the store failed")]
    Store(#[from] roadstead_store::Error),
}

pub(crate) type Result<T> = std::result::Result<T, ApiError>;

fn client(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::client(code, message)
}

/// The store failed: worth a retry, or not.
pub(crate) fn store(error: &roadstead_store::Error) -> ApiError {
    tracing::error!(%error, "the store failed a call of EC2");
    if let roadstead_store::Error::Contended { .. } = error {
        contended()
    } else if error.is_retryable() {
        ApiError::new(
            "Unavailable",
            503,
            "The service cannot reach its records at the moment. Try again.",
        )
    } else {
        ApiError::new(
            "InternalError",
            500,
            format!("An internal error has occurred: {error}"),
        )
    }
}

pub(crate) fn contended() -> ApiError {
    ApiError::new(
        "Unavailable",
        503,
        "The service is busy changing the same resource. Try again.",
    )
}

/// A member that is part of the API and does nothing here yet.
pub(crate) fn unsupported(member: &str) -> ApiError {
    client(
        "UnsupportedOperation",
        format!("{member} is not supported by Roadstead yet."),
    )
}

/// A member that EC2 itself documents as not supported.
pub(crate) fn use_permissions(member: &str) -> ApiError {
    client(
        "UnsupportedOperation",
        format!("{member} is not supported. Use IpPermissions instead."),
    )
}

pub(crate) fn dry_run() -> ApiError {
    ApiError::new(
        "DryRunOperation",
        412,
        "Request would have succeeded, but DryRun flag is set.",
    )
}

/// Agents of nodes change nothing here.
pub(crate) fn may_write(caller: &Caller) -> Result<()> {
    match caller {
        Caller::Root | Caller::User(_) | Caller::Role(_) | Caller::Service(_) => Ok(()),
        Caller::Node => Err(ApiError::new(
            "UnauthorizedOperation",
            403,
            "You are not authorized to perform this operation.",
        )),
    }
}

/// What belongs to a part of the platform.
pub(crate) fn not_yours() -> ApiError {
    client(
        "AuthFailure",
        "You do not have permission to access the specified resource.",
    )
}

pub(crate) fn invalid_value(message: impl Into<String>) -> ApiError {
    client("InvalidParameterValue", message)
}

pub(crate) fn invalid_parameter(message: impl Into<String>) -> ApiError {
    client("InvalidParameter", message)
}

pub(crate) fn combination(message: impl Into<String>) -> ApiError {
    client("InvalidParameterCombination", message)
}

pub(crate) fn missing(member: &str) -> ApiError {
    client(
        "MissingParameter",
        format!("The request must contain the parameter {member}"),
    )
}

pub(crate) fn missing_because(message: impl Into<String>) -> ApiError {
    client("MissingParameter", message)
}

pub(crate) fn dependency(message: impl Into<String>) -> ApiError {
    client("DependencyViolation", message)
}

pub(crate) fn other(code: &'static str, message: impl Into<String>) -> ApiError {
    client(code, message)
}

/// Kinds of resources by what EC2 calls them in errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    prefix: &'static str,
    noun: &'static str,
    not_found: &'static str,
    malformed: &'static str,
}

pub(crate) const VPC: Kind = Kind {
    prefix: "vpc-",
    noun: "vpc ID",
    not_found: "InvalidVpcID.NotFound",
    malformed: "InvalidVpcID.Malformed",
};
pub(crate) const SUBNET: Kind = Kind {
    prefix: "subnet-",
    noun: "subnet ID",
    not_found: "InvalidSubnetID.NotFound",
    malformed: "InvalidSubnetID.Malformed",
};
pub(crate) const VPC_CIDR: Kind = Kind {
    prefix: "vpc-cidr-assoc-",
    noun: "vpc CIDR block association ID",
    not_found: "InvalidVpcCidrBlockAssociationID.NotFound",
    malformed: "InvalidVpcCidrBlockAssociationID.Malformed",
};
pub(crate) const SUBNET_CIDR: Kind = Kind {
    prefix: "subnet-cidr-assoc-",
    noun: "subnet CIDR block association ID",
    not_found: "InvalidSubnetCidrBlockAssociationID.NotFound",
    malformed: "InvalidSubnetCidrBlockAssociationID.Malformed",
};
pub(crate) const GROUP: Kind = Kind {
    prefix: "sg-",
    noun: "security group",
    not_found: "InvalidGroup.NotFound",
    malformed: "InvalidGroupId.Malformed",
};
pub(crate) const RULE: Kind = Kind {
    prefix: "sgr-",
    noun: "security group rule ID",
    not_found: "InvalidSecurityGroupRuleId.NotFound",
    malformed: "InvalidSecurityGroupRuleId.Malformed",
};
pub(crate) const INTERFACE: Kind = Kind {
    prefix: "eni-",
    noun: "networkInterface ID",
    not_found: "InvalidNetworkInterfaceID.NotFound",
    malformed: "InvalidNetworkInterfaceId.Malformed",
};
pub(crate) const ATTACHMENT: Kind = Kind {
    prefix: "eni-attach-",
    noun: "network interface attachment ID",
    not_found: "InvalidAttachmentID.NotFound",
    malformed: "InvalidAttachmentID.Malformed",
};
pub(crate) const INSTANCE: Kind = Kind {
    prefix: "i-",
    noun: "instance ID",
    not_found: "InvalidInstanceID.NotFound",
    malformed: "InvalidInstanceID.Malformed",
};

impl Kind {
    pub(crate) fn not_found(self, id: &str) -> ApiError {
        client(
            self.not_found,
            format!("The {} '{}' does not exist", self.noun, clip(id)),
        )
    }

    /// Several ids of which at least one does not exist.
    pub(crate) fn none_of(self, ids: &[&str]) -> ApiError {
        match ids {
            [id] => self.not_found(id),
            _ => client(
                self.not_found,
                format!("The {}s '{}' do not exist", self.noun, clip(&ids.join(", "))),
            ),
        }
    }

    /// Whether the text has the form of such an id.
    pub(crate) fn check(self, id: &str) -> Result<()> {
        let digits = id.strip_prefix(self.prefix);
        if digits
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        {
            Ok(())
        } else {
            let (id, prefix) = (clip(id), self.prefix);
            Err(client(
                self.malformed,
                format!("Invalid id: \"{id}\" (expecting \"{prefix}...\")"),
            ))
        }
    }
}

/// What a client sent, short enough to send back.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(256).collect()
}
