//! Whether a caller may. What policies bind is asked of the authority, once for each resource that the operation
//! touches; the denial is said in the code of the service's protocol.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use roadstead_base::{AccountId, Caller, Ctx, Origin, Timestamp};
use roadstead_protocol::{ApiError, Operation, Protocol, ServiceModel, Value};

use crate::authority::{Asked, Authority, Because, Denial, Keys, RoleError, ServiceAssumes, SessionKeys};
use crate::dispatcher::{Dispatcher, Raw};
use crate::permissions::{Asking, Need, Permissions};

/// Longest name a session can have.
const MAX_SESSION_NAME: usize = 64;
/// Where no resource is named.
const ANY: &str = "*";

/// Who decides, and what operations mean to policies.
#[derive(Default)]
pub(crate) struct Gate {
    authority: OnceLock<Arc<dyn Authority>>,
    permissions: RwLock<HashMap<&'static str, Arc<dyn Permissions>>>,
}

impl Gate {
    pub(crate) fn authority(&self) -> Option<&Arc<dyn Authority>> {
        self.authority.get()
    }

    fn permissions(&self, service: &str) -> Option<Arc<dyn Permissions>> {
        let all = self.permissions.read().unwrap_or_else(PoisonError::into_inner);
        all.get(service).cloned()
    }
}

/// A service's way to act as a role.
#[derive(Clone, Copy, Debug)]
pub struct ActAs<'a> {
    pub role_arn: &'a str,
    /// `lambda.amazonaws.com`
    pub service: &'static str,
    /// What the session is called, such as a task's id.
    pub session_name: &'a str,
    /// On whose behalf: the ARN of the task, rule or state machine.
    pub source_arn: Option<&'a str>,
    /// How long, in seconds.
    pub seconds: u32,
}

impl Dispatcher {
    /// From now on keys that are not the platform's own are looked up there, and policies decide. Once only.
    pub fn set_authority(&self, authority: Arc<dyn Authority>) {
        if self.gate.authority.set(authority).is_err() {
            tracing::warn!("there is an authority already; the second is not used");
        }
    }

    /// What the operations of a service mean to policies. Without it each is `<signing name>:<Operation>` on `*`.
    pub fn guard(&self, model: &'static ServiceModel, permissions: Arc<dyn Permissions>) {
        let mut all = self
            .gate
            .permissions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(model.name, permissions);
    }

    /// The context of a call that a service makes as a role: it passes the gate as the role would.
    ///
    /// # Errors
    /// There is no such role, or it does not trust the service.
    pub fn assume_for_service(&self, ctx: &Ctx, act: ActAs<'_>) -> Result<Ctx, RoleError> {
        let authority = self.gate.authority().ok_or(RoleError::NoAuthority)?;
        let session = authority.assume(assumes(ctx, act))?;
        let mut inner = self.ctx(
            ctx.account.clone(),
            ctx.region.clone(),
            Caller::Role(session),
            String::new(),
        );
        inner.origin = Arc::new(Origin {
            via: Some(act.service),
            session: true,
            ..Origin::default()
        });
        Ok(inner)
    }

    /// Keys for a task or a function to make calls with as its role. A later call gives fresh ones.
    ///
    /// # Errors
    /// There is no such role, or it does not trust the service.
    pub fn keys_for_service(&self, ctx: &Ctx, act: ActAs<'_>) -> Result<SessionKeys, RoleError> {
        let authority = self.gate.authority().ok_or(RoleError::NoAuthority)?;
        let session = authority.assume(assumes(ctx, act))?;
        let expires = session.expires;
        Ok(authority.issue(&Caller::Role(session), &ctx.account, expires))
    }

    /// The account that a key was issued for; none if it was not issued here.
    pub fn account_of_key(&self, access_key: &str) -> Option<AccountId> {
        if let Some(key) = self.credentials.find(access_key) {
            return Some(key.account);
        }
        self.gate.authority()?.account_of(access_key)
    }

    /// Keys of a session of the caller. None: no identity service is running.
    pub fn issue_keys(
        &self,
        caller: &Caller,
        account: &AccountId,
        expires: Timestamp,
    ) -> Option<SessionKeys> {
        let authority = self.gate.authority()?;
        Some(authority.issue(caller, account, expires))
    }

    /// Whether a service may be handed this role by the caller: for roles that a request only implies, such as
    /// those of the task definition it names. Roles that stand in the request belong into the service's table.
    ///
    /// # Errors
    /// The denial.
    pub fn check_pass_role(&self, ctx: &Ctx, role_arn: &str, service: &'static str) -> Result<(), Denial> {
        let need = Need::pass_role(role_arn, service);
        self.decide(ctx, &need.action, role_arn, &need.keys, None)
    }

    /// Whether the caller may do this: for what a table cannot say.
    ///
    /// # Errors
    /// The denial.
    pub fn decide(
        &self,
        ctx: &Ctx,
        action: &str,
        resource: &str,
        keys: &Keys,
        resource_policy: Option<&str>,
    ) -> Result<(), Denial> {
        if !is_bound(ctx) {
            return Ok(());
        }
        self.decide_across(ctx, action, resource, keys, resource_policy)
    }

    /// Whether the caller may do this in another account: its root too, whom only the policies of its own do not bind.
    ///
    /// # Errors
    /// The denial.
    pub fn decide_across(
        &self,
        ctx: &Ctx,
        action: &str,
        resource: &str,
        keys: &Keys,
        resource_policy: Option<&str>,
    ) -> Result<(), Denial> {
        let asked = Asked {
            ctx,
            action,
            resource,
            keys,
            resource_policy,
        };
        match self.gate.authority() {
            Some(authority) => authority.decide(asked),
            None => Err(Denial {
                caller: ctx.caller.arn(&ctx.account),
                action: action.to_owned(),
                resource: resource.to_owned(),
                because: Because::NoIdentityPolicy,
            }),
        }
    }

    /// Whether the caller may make this call; and what it touches, for the record.
    pub(crate) async fn authorize(
        &self,
        model: &'static ServiceModel,
        operation: &'static Operation,
        ctx: &Ctx,
        input: &Value,
    ) -> Result<(), ApiError> {
        if let Caller::Role(session) = &ctx.caller
            && session.expires <= self.clock.now()
        {
            return Err(expired(model));
        }
        let permissions = self.gate.permissions(model.name);
        if ctx.caller == Caller::Node && permissions.as_ref().is_some_and(|all| !all.serves_nodes()) {
            return Err(denied(
                model,
                &Denial {
                    caller: "a node's agent".to_owned(),
                    action: format!("{}:{}", model.signing_name, operation.name),
                    resource: ANY.to_owned(),
                    because: Because::NoIdentityPolicy,
                },
            ));
        }
        if !is_bound(ctx) {
            return Ok(());
        }
        let asking = Asking {
            ctx,
            operation: operation.name,
            input,
        };
        for need in needs(model, permissions.as_deref(), &asking) {
            self.allowed(permissions.as_deref(), ctx, need)
                .await
                .map_err(|denial| denied(model, &denial))?;
        }
        Ok(())
    }

    async fn allowed(
        &self,
        permissions: Option<&dyn Permissions>,
        ctx: &Ctx,
        need: Need,
    ) -> Result<(), Denial> {
        let Need {
            action,
            resources,
            keys,
        } = need;
        if resources.is_empty() {
            return self.decide(ctx, &action, ANY, &keys, None);
        }
        for mut resource in resources {
            let mut keys = keys.clone();
            let mut policy = None;
            if let Some(permissions) = permissions {
                resource = permissions.whole_arn(ctx, resource).await;
                for (key, value) in permissions.resource_tags(ctx, &resource).await {
                    keys.add(format!("aws:ResourceTag/{key}"), value);
                }
                policy = permissions.resource_policy(ctx, &resource).await;
            }
            self.decide(ctx, &action, &resource, &keys, policy.as_deref())?;
        }
        Ok(())
    }
}

impl Dispatcher {
    /// Whether a caller may go where a service speaks for itself.
    pub(crate) fn may_enter(&self, raw: &dyn Raw, ctx: &Ctx) -> Result<(), ApiError> {
        let denial = match raw.action() {
            Some(action) => self.decide(ctx, action, ANY, &Keys::default(), None),
            None if ctx.caller.is_bound() => {
                return Err(ApiError::new(
                    "AccessDeniedException",
                    403,
                    "Users and roles have nothing to do here.",
                ));
            }
            None => Ok(()),
        };
        denial.map_err(|denial| ApiError::new("AccessDeniedException", 403, denial.to_string()))
    }
}

/// Whether policies decide: also about a service that calls for something of a customer's.
fn is_bound(ctx: &Ctx) -> bool {
    ctx.caller.is_bound() || ctx.origin.source_arn.is_some()
}

fn assumes<'a>(ctx: &'a Ctx, act: ActAs<'a>) -> ServiceAssumes<'a> {
    let ActAs {
        role_arn,
        service,
        session_name,
        source_arn,
        seconds,
    } = act;
    let end = session_name.len().min(MAX_SESSION_NAME);
    ServiceAssumes {
        role_arn,
        service,
        session_name: session_name.get(..end).unwrap_or_default(),
        seconds,
        account: &ctx.account,
        region: &ctx.region,
        source_arn,
        tags: &[],
    }
}

/// What a call needs by its service's table, or by its name alone.
pub(crate) fn needs(
    model: &ServiceModel,
    permissions: Option<&dyn Permissions>,
    asking: &Asking<'_>,
) -> Vec<Need> {
    let rules = permissions.map_or(&[][..], Permissions::rules);
    let rule = rules.iter().find(|rule| rule.operation == asking.operation);
    match rule {
        Some(rule) => (rule.needs)(asking),
        None => {
            let prefix = permissions.and_then(Permissions::prefix);
            let prefix = prefix.unwrap_or(model.signing_name);
            vec![Need::new(format!("{prefix}:{}", asking.operation))]
        }
    }
}

/// A denial in the service's own code.
pub fn denied(model: &ServiceModel, denial: &Denial) -> ApiError {
    let message = denial.to_string();
    if model.has_query_codes() {
        return ApiError::new("AccessDenied", 403, message);
    }
    match model.protocols.first() {
        Some(Protocol::Ec2) => ApiError::new(
            "UnauthorizedOperation",
            403,
            format!("You are not authorized to perform this operation. {message}"),
        ),
        Some(Protocol::RestXml) => ApiError::new("AccessDenied", 403, message),
        Some(Protocol::RestJson) => ApiError::new("AccessDeniedException", 403, message),
        _ => ApiError::client("AccessDeniedException", message),
    }
}

/// A session that ended, in the service's own code.
pub(crate) fn expired(model: &ServiceModel) -> ApiError {
    let message = crate::authority::KeyError::Expired.to_string();
    if model.has_query_codes() {
        return ApiError::new("ExpiredToken", 403, message);
    }
    match model.protocols.first() {
        Some(Protocol::Ec2) => ApiError::client("RequestExpired", "Request has expired."),
        Some(Protocol::RestXml) => ApiError::client("ExpiredToken", "The provided token has expired."),
        Some(Protocol::RestJson) => ApiError::new("ExpiredTokenException", 403, message),
        _ => ApiError::client("ExpiredTokenException", message),
    }
}
