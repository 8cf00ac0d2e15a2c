//! What the gate asks the service that knows users, roles and policies. It lies in memory there, so nothing here
//! waits: a decision must cost every call little.

use std::borrow::Cow;
use std::sync::Arc;

use roadstead_base::{AccountId, Caller, Ctx, Region, RoleSession, Timestamp};

use crate::credentials::IssuedKey;

/// Values of condition keys, by their names as documented (`ecs:cluster`, `aws:RequestTag/team`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<(Cow<'static, str>, Vec<String>)>);

impl Keys {
    /// Adds a value. A key with several values is one that the set operators are for.
    pub fn add(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let key = key.into();
        match self
            .0
            .iter_mut()
            .find(|(name, _)| name.eq_ignore_ascii_case(&key))
        {
            Some((_, values)) => values.push(value.into()),
            None => self.0.push((key, vec![value.into()])),
        }
    }

    pub fn extend(&mut self, other: &Self) {
        for (key, values) in &other.0 {
            for value in values {
                self.add(key.clone(), value.clone());
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<&[String]> {
        let mut all = self.0.iter();
        all.find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, values)| values.as_slice())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0
            .iter()
            .map(|(key, values)| (key.as_ref(), values.as_slice()))
    }
}

/// One question: may the caller do this to that?
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub ctx: &'a Ctx,
    /// `ecs:RunTask`
    pub action: &'a str,
    /// An ARN, or `*` where the action knows no resources.
    pub resource: &'a str,
    /// Besides the global ones, which the authority knows from `ctx`.
    pub keys: &'a Keys,
    /// The resource's own policy, for services whose resources have one.
    pub resource_policy: Option<&'a str>,
}

/// Why a caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// No policy of the user or role allows it.
    NoIdentityPolicy,
    /// The caller is of another account, and the resource's policy does not allow it.
    NoResourcePolicy,
    NoBoundary,
    NoSessionPolicy,
    ExplicitIdentityDeny,
    ExplicitResourceDeny,
    ExplicitBoundaryDeny,
    ExplicitSessionDeny,
}

/// A denial in the documented words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("User: {caller} is not authorized to perform: {action} on resource: {resource} {}", words(*because, action))]
pub struct Denial {
    pub caller: String,
    pub action: String,
    pub resource: String,
    pub because: Because,
}

fn words(because: Because, action: &str) -> String {
    let no = |kind: &str| format!("because no {kind} allows the {action} action");
    let explicit = |kind: &str| format!("with an explicit deny in {kind}");
    match because {
        Because::NoIdentityPolicy => no("identity-based policy"),
        Because::NoResourcePolicy => no("resource-based policy"),
        Because::NoBoundary => no("permissions boundary"),
        Because::NoSessionPolicy => no("session policy"),
        Because::ExplicitIdentityDeny => explicit("an identity-based policy"),
        Because::ExplicitResourceDeny => explicit("a resource-based policy"),
        Because::ExplicitBoundaryDeny => explicit("a permissions boundary"),
        Because::ExplicitSessionDeny => explicit("a session policy"),
    }
}

/// Why a key that was issued once is worth nothing now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("The security token included in the request is invalid.")]
    Invalid,
    #[error("The security token included in the request is expired")]
    Expired,
}

/// Why a service cannot act as a role. Each service says it in words of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error("{0:?} is not the ARN of a role")]
    NotARole(String),
    #[error("the role {0} does not exist")]
    NoSuchRole(String),
    #[error("the trust policy of the role {role} does not let {service} assume it")]
    NotTrusted { role: String, service: &'static str },
    #[error("roles cannot be assumed here: no identity service is running")]
    NoAuthority,
}

/// A service that wants to act as a role.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAssumes<'a> {
    pub role_arn: &'a str,
    /// `lambda.amazonaws.com`; a trust policy may also name it with the region in it.
    pub service: &'static str,
    /// What the session is called, such as a task's id; cut to what a session name can be.
    pub session_name: &'a str,
    /// How long, in seconds.
    pub seconds: u32,
    pub account: &'a AccountId,
    pub region: &'a Region,
    /// `aws:SourceArn`, on whose behalf: the task, rule or state machine.
    pub source_arn: Option<&'a str>,
    /// Tags of the session.
    pub tags: &'a [(String, String)],
}

/// Keys to hand to a task or a function.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeys {
    pub access_key: String,
    pub secret: String,
    pub token: String,
    pub expires: Timestamp,
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKeys({}, secret withheld)", self.access_key)
    }
}

/// Who knows users, roles, keys and policies.
pub trait Authority: Send + Sync + 'static {
    /// A key that was issued by a call, with the session token that came with it. `Ok(None)`: nobody's key.
    ///
    /// # Errors
    /// The key was issued once and is deleted, inactive or expired, or the token is not its own.
    fn find(&self, access_key: &str, token: Option<&str>) -> Result<Option<IssuedKey>, KeyError>;

    /// The account that a key was issued for; none if it was not issued here.
    fn account_of(&self, access_key: &str) -> Option<AccountId>;

    /// # Errors
    /// The denial, in the documented words.
    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial>;

    /// A session of a role that trusts the service.
    ///
    /// # Errors
    /// There is no such role, or it does not trust the service.
    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError>;

    /// Keys of a session of the caller, with the token that goes with them.
    fn issue(&self, caller: &Caller, account: &AccountId, expires: Timestamp) -> SessionKeys;
}
