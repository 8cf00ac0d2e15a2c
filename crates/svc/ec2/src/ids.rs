//! One type per kind of id, so that a subnet can never be looked up among the groups.

use std::fmt;

use serde::{Deserialize, Serialize};

use roadstead_base::{derived_hex, random_hex};

/// Hexadecimal digits behind the prefix.
const DIGITS: usize = 17;

macro_rules! id {
    ($(#[$doc:meta] $name:ident $prefix:literal,)*) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        #[allow(dead_code)] // every kind has the same set
        impl $name {
            pub(crate) const PREFIX: &'static str = $prefix;

            /// A new one.
            pub(crate) fn random() -> Self {
                Self(format!("{}{}", $prefix, random_hex(DIGITS)))
            }

            /// The one that this owner has for this purpose, however often it asks.
            pub(crate) fn derived(owner: &str, purpose: &str) -> Self {
                Self(format!("{}{}", $prefix, derived_hex(owner, purpose, DIGITS)))
            }

            /// As somebody wrote it; whether it exists is another question.
            pub(crate) fn named(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

id! {
    /// `vpc-…`
    VpcId "vpc-",
    /// `vpc-cidr-assoc-…`
    CidrAssociationId "vpc-cidr-assoc-",
    /// `subnet-cidr-assoc-…`
    SubnetCidrAssociationId "subnet-cidr-assoc-",
    /// `subnet-…`
    SubnetId "subnet-",
    /// `sg-…`
    GroupId "sg-",
    /// `sgr-…`
    RuleId "sgr-",
    /// `eni-…`
    InterfaceId "eni-",
    /// `eni-attach-…`
    AttachmentId "eni-attach-",
    /// `i-…`
    InstanceId "i-",
}
