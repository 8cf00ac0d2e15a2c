//! The operations that need no role.

use std::sync::Arc;

use roadstead_api_iam::Client as IamClient;
use roadstead_api_sts::{
    AssumeRoleRequest, AssumeRoleResponse, Credentials, GetAccessKeyInfoRequest, GetAccessKeyInfoResponse,
    GetCallerIdentityRequest, GetCallerIdentityResponse, GetSessionTokenRequest, GetSessionTokenResponse,
};
use roadstead_base::{AccountId, Caller, Ctx, SharedClock, Timestamp};
use roadstead_dispatch::{Dispatcher, SessionKeys};
use roadstead_protocol::ApiError;

use crate::assume;
use crate::error::{denied, no_authority, unsupported, validation};

/// Seconds that a user's session lasts unless it is said, and that a root's lasts at most.
const USER_SESSION: i32 = 43_200;
const ROOT_SESSION: i32 = 3600;

pub struct Sts {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) iam: IamClient,
    pub(crate) clock: SharedClock,
}

impl Sts {
    pub fn new(dispatcher: Arc<Dispatcher>, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            iam: IamClient(dispatcher.clone()),
            dispatcher,
            clock,
        })
    }
}

pub(crate) fn credentials(keys: SessionKeys) -> Credentials {
    let SessionKeys {
        access_key,
        secret,
        token,
        expires,
    } = keys;
    Credentials {
        access_key_id: access_key,
        secret_access_key: secret,
        session_token: token,
        // Dates have no fractions here.
        expiration: Timestamp(expires.0 - expires.0.rem_euclid(1000)),
    }
}

impl roadstead_api_sts::Sts for Sts {
    async fn assume_role(&self, ctx: &Ctx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, ApiError> {
        assume::run(self, ctx, input).await
    }

    async fn get_access_key_info(
        &self,
        _ctx: &Ctx,
        input: GetAccessKeyInfoRequest,
    ) -> Result<GetAccessKeyInfoResponse, ApiError> {
        let GetAccessKeyInfoRequest { access_key_id } = input;
        let account = self.dispatcher.account_of_key(&access_key_id);
        let Some(account) = account else {
            return Err(validation(format!(
                "The access key {access_key_id} was not issued here."
            )));
        };
        Ok(GetAccessKeyInfoResponse {
            account: Some(account.to_string()),
        })
    }

    /// Nobody needs leave for it.
    async fn get_caller_identity(
        &self,
        ctx: &Ctx,
        input: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, ApiError> {
        let GetCallerIdentityRequest {} = input;
        let user_id = match &ctx.caller {
            Caller::User(user) => user.id.clone(),
            Caller::Role(session) => session.user_id(),
            Caller::Root | Caller::Node | Caller::Service(_) => ctx.account.to_string(),
        };
        Ok(GetCallerIdentityResponse {
            account: Some(ctx.account.to_string()),
            arn: Some(ctx.caller.arn(&ctx.account)),
            user_id: Some(user_id),
        })
    }

    async fn get_session_token(
        &self,
        ctx: &Ctx,
        input: GetSessionTokenRequest,
    ) -> Result<GetSessionTokenResponse, ApiError> {
        let GetSessionTokenRequest {
            duration_seconds,
            serial_number,
            token_code,
        } = input;
        if serial_number.is_some() {
            return Err(unsupported("SerialNumber"));
        }
        if token_code.is_some() {
            return Err(unsupported("TokenCode"));
        }
        let most = match &ctx.caller {
            Caller::User(_) => None,
            Caller::Root => Some(ROOT_SESSION),
            Caller::Role(_) | Caller::Service(_) | Caller::Node => {
                return Err(denied("Cannot call GetSessionToken with session credentials"));
            }
        };
        if ctx.origin.session {
            return Err(denied("Cannot call GetSessionToken with session credentials"));
        }
        let seconds = duration_seconds.unwrap_or(USER_SESSION);
        let seconds = most.map_or(seconds, |most| seconds.min(most));
        let expires = self.clock.now().plus_millis(i64::from(seconds) * 1000);
        let keys = self.dispatcher.issue_keys(&ctx.caller, &ctx.account, expires);
        Ok(GetSessionTokenResponse {
            credentials: Some(credentials(keys.ok_or_else(no_authority)?)),
        })
    }
}

/// The account in a role's ARN, if it is one.
pub(crate) fn role_of(arn: &str) -> Option<(AccountId, String)> {
    let parsed: roadstead_base::Arn = arn.parse().ok()?;
    let name = parsed.resource_of("role").filter(|_| parsed.service == "iam")?;
    let account = parsed.account.parse().ok()?;
    Some((account, name.rsplit('/').next().unwrap_or(name).to_owned()))
}
