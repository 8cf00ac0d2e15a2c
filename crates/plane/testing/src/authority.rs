//! Who may do what, where that is not what a test is about.

use std::sync::Arc;

use roadstead_base::{AccountId, Caller, RoleSession, Timestamp};
use roadstead_dispatch::{
    Asked, Authority, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};

use crate::START;

/// Lets everybody do everything, and one service act as one role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trusting {
    /// The role's ARN, and the service's principal.
    role: Option<(&'static str, &'static str)>,
}

impl Trusting {
    pub fn role(arn: &'static str, service: &'static str) -> Self {
        Self {
            role: Some((arn, service)),
        }
    }
}

impl Authority for Trusting {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, _asked: Asked<'_>) -> Result<(), Denial> {
        Ok(())
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        if self.role != Some((assumes.role_arn, assumes.service)) {
            return Err(RoleError::NoSuchRole(assumes.role_arn.into()));
        }
        Ok(Arc::new(RoleSession {
            role_arn: assumes.role_arn.into(),
            role_id: "AROAX".into(),
            name: assumes.session_name.into(),
            issued: START,
            expires: Timestamp(i64::MAX),
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: assumes.source_arn.map(Into::into),
            chained: false,
        }))
    }

    fn issue(&self, _caller: &Caller, _account: &AccountId, _expires: Timestamp) -> SessionKeys {
        unreachable!("no keys are handed out here")
    }
}
