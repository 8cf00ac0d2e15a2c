//! What is stored: one record for each user, group, role, policy, instance profile, provider and access key, and one for the
//! account, which every change touches, so that what a change read still holds when it is written.

use std::collections::BTreeMap;

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::password::{LoginRecord, PasswordPolicyRecord};

pub(crate) type Tags = Vec<(String, String)>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Record {
    User(UserRecord),
    Group(GroupRecord),
    Role(RoleRecord),
    Policy(PolicyRecord),
    Profile(ProfileRecord),
    Provider(ProviderRecord),
    Key(KeyRecord),
    Account(AccountRecord),
}

/// Policies of a user, group or role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grants {
    /// ARNs of managed policies, in the order of their attachment.
    pub attached: Vec<String>,
    /// Documents by name.
    pub inline: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    pub tags: Tags,
    /// ARN of a managed policy.
    pub boundary: Option<String>,
    pub grants: Grants,
    /// Names of groups, in order.
    pub groups: Vec<String>,
    /// The password, for those who have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    pub grants: Grants,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RoleRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    pub description: Option<String>,
    pub trust: String,
    /// Seconds.
    pub max_session: u32,
    pub tags: Tags,
    pub boundary: Option<String>,
    pub grants: Grants,
    /// The service that the role is linked to, such as `ecs.amazonaws.com`.
    pub linked: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub description: Option<String>,
    pub tags: Tags,
    pub versions: Vec<VersionRecord>,
    /// Number of the default version.
    pub default: u32,
    /// Number of the last version that was made; numbers are not used again.
    pub last: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    pub number: u32,
    pub document: String,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProfileRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    pub tags: Tags,
    /// Name of its role.
    pub role: Option<String>,
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProviderRecord {
    /// Without `https://`.
    pub url: String,
    pub clients: Vec<String>,
    pub thumbprints: Vec<String>,
    pub created: Timestamp,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    pub id: String,
    pub secret: String,
    /// None: a key of the account's root.
    pub user: Option<String>,
    pub active: bool,
    pub created: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    /// Grows with every change of the account.
    pub serial: u64,
    pub alias: Option<String>,
    /// Deletions of service-linked roles, by their task ids.
    pub deletions: Vec<String>,
    /// Where the role was used, of those that failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_use: BTreeMap<String, Vec<RoleUse>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_policy: Option<PasswordPolicyRecord>,
}

/// What of a region uses a service-linked role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleUse {
    pub region: String,
    /// ARNs.
    pub resources: Vec<String>,
}

impl Record {
    pub(crate) fn grants(&self) -> Option<&Grants> {
        match self {
            Self::User(user) => Some(&user.grants),
            Self::Group(group) => Some(&group.grants),
            Self::Role(role) => Some(&role.grants),
            _ => None,
        }
    }

    pub(crate) fn grants_mut(&mut self) -> Option<&mut Grants> {
        match self {
            Self::User(user) => Some(&mut user.grants),
            Self::Group(group) => Some(&mut group.grants),
            Self::Role(role) => Some(&mut role.grants),
            _ => None,
        }
    }

    pub(crate) fn boundary(&self) -> Option<&str> {
        match self {
            Self::User(user) => user.boundary.as_deref(),
            Self::Role(role) => role.boundary.as_deref(),
            _ => None,
        }
    }
}

impl PolicyRecord {
    pub(crate) fn version(&self, number: u32) -> Option<&VersionRecord> {
        self.versions.iter().find(|version| version.number == number)
    }

    pub(crate) fn document(&self) -> &str {
        self.version(self.default).map_or("", |version| &version.document)
    }
}
