//! Who makes a call, and from where. Kept apart from accounts and regions, as policies speak of nothing else.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A user of IAM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// `arn:aws:iam::000000000000:user/path/name`
    pub arn: String,
    pub name: String,
    /// `AIDA…`, which a later user of the same name does not get.
    pub id: String,
}

/// A role that somebody acts as, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoleSession {
    /// `arn:aws:iam::000000000000:role/path/name`
    pub role_arn: String,
    /// `AROA…`, which a later role of the same name does not get.
    pub role_id: String,
    /// The role session name.
    pub name: String,
    /// When the role was assumed.
    pub issued: Timestamp,
    pub expires: Timestamp,
    /// The session policy documents that its issuer passed inline; they narrow what the role may.
    pub policies: Vec<String>,
    /// ARNs of the managed policies that its issuer passed; they narrow what the role may, too.
    pub policy_arns: Vec<String>,
    pub tags: Vec<(String, String)>,
    /// Keys of the tags that roles assumed from this one keep.
    pub transitive: Vec<String>,
    pub source_identity: Option<String>,
    /// Whether a role assumed it. Chained sessions last an hour at most.
    pub chained: bool,
}

impl RoleSession {
    /// `arn:aws:sts::000000000000:assumed-role/name/session`. The role's path is not in it.
    pub fn arn(&self) -> String {
        let (head, path) = self.role_arn.split_once(":role/").unwrap_or((&self.role_arn, ""));
        let role = path.rsplit('/').next().unwrap_or(path);
        let head = head.replacen(":iam:", ":sts:", 1);
        format!("{head}:assumed-role/{role}/{}", self.name)
    }

    /// `AROA…:session`
    pub fn user_id(&self) -> String {
        format!("{}:{}", self.role_id, self.name)
    }
}

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The account's root: no policy of its own account binds it.
    Root,
    /// A user, by an access key or by a session of its own.
    User(Arc<User>),
    /// Whoever acts as a role: a person, a task, a function, or a service on somebody's behalf.
    Role(Arc<RoleSession>),
    /// A part of the platform acting on its own behalf, such as `ecs.amazonaws.com`.
    Service(&'static str),
    /// A node's agent, by credentials that Roadstead issued to it.
    Node,
}

impl Caller {
    /// Whether this is a customer of the platform, not a part of it.
    pub fn is_customer(&self) -> bool {
        matches!(self, Self::Root | Self::User(_) | Self::Role(_))
    }

    /// Whether policies decide what this caller may.
    pub fn is_bound(&self) -> bool {
        matches!(self, Self::User(_) | Self::Role(_))
    }

    /// The ARN that denials and audit records name.
    pub fn arn(&self, account: &crate::AccountId) -> String {
        match self {
            Self::Root | Self::Node => format!("arn:aws:iam::{account}:root"),
            Self::User(user) => user.arn.clone(),
            Self::Role(session) => session.arn(),
            Self::Service(name) => (*name).to_owned(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::User(user) => f.write_str(&user.arn),
            Self::Role(session) => f.write_str(&session.arn()),
            Self::Service(name) => f.write_str(name),
            Self::Node => f.write_str("node"),
        }
    }
}

/// Where a call came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The peer's address; none for calls from within.
    pub address: Option<IpAddr>,
    pub user_agent: String,
    /// Empty for calls from within.
    pub access_key: String,
    /// The call's credentials are those of a session.
    pub session: bool,
    /// The part of the platform that makes the call for its caller, such as `events.amazonaws.com`.
    pub via: Option<&'static str>,
    /// The ARN of what a service calls for, such as a rule. The policies of the resources it touches must then let the
    /// service in, as they must nobody else.
    pub source_arn: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(role_arn: &str) -> RoleSession {
        RoleSession {
            role_arn: role_arn.into(),
            role_id: "AROAEXAMPLE".into(),
            name: "alice".into(),
            issued: Timestamp(0),
            expires: Timestamp(1),
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: None,
            chained: false,
        }
    }

    #[test]
    fn a_sessions_arn_has_the_role_without_its_path() {
        for (role, arn) in [
            (
                "arn:aws:iam::123456789012:role/reader",
                "arn:aws:sts::123456789012:assumed-role/reader/alice",
            ),
            (
                "arn:aws:iam::123456789012:role/a/b/reader",
                "arn:aws:sts::123456789012:assumed-role/reader/alice",
            ),
        ] {
            assert_eq!(session(role).arn(), arn);
        }
        assert_eq!(session("arn:aws:iam::1:role/r").user_id(), "AROAEXAMPLE:alice");
    }
}
