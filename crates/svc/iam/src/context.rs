//! What every request says of itself to the conditions of policies.

use roadstead_base::{Caller, Timestamp};
use roadstead_dispatch::Asked;
use roadstead_policy::Context;

use crate::realm::Realm;
use crate::records::{RoleRecord, UserRecord};

/// What every request says of itself. The names are those of the user guide's "AWS global condition context keys".
pub(crate) fn context(asked: &Asked<'_>, realm: &Realm<'_>, now: Timestamp) -> Context {
    let Asked { ctx, resource, .. } = *asked;
    let mut context = Context::default();
    let mut set = |key: &str, value: String| context.set(key, [value]);
    match &ctx.caller {
        Caller::User(user) => {
            set("aws:PrincipalType", "User".to_owned());
            set("aws:PrincipalArn", user.arn.clone());
            set("aws:userid", user.id.clone());
            set("aws:username", user.name.clone());
            for (key, value) in realm.user(&user.name).map(tags_of_user).unwrap_or_default() {
                set(&format!("aws:PrincipalTag/{key}"), value.clone());
            }
        }
        Caller::Role(session) => {
            set("aws:PrincipalType", "AssumedRole".to_owned());
            set("aws:PrincipalArn", session.role_arn.clone());
            set("aws:userid", session.user_id());
            set("aws:TokenIssueTime", session.issued.to_rfc3339());
            set("aws:MultiFactorAuthPresent", "false".to_owned());
            let name = session.role_arn.rsplit('/').next().unwrap_or_default();
            for (key, value) in realm.role(name).map(tags_of_role).unwrap_or_default() {
                set(&format!("aws:PrincipalTag/{key}"), value.clone());
            }
            for (key, value) in &session.tags {
                set(&format!("aws:PrincipalTag/{key}"), value.clone());
            }
            if let Some(source) = &session.source_identity {
                set("aws:SourceIdentity", source.clone());
            }
        }
        Caller::Root | Caller::Service(_) | Caller::Node => {}
    }
    set("aws:PrincipalAccount", ctx.account.to_string());
    if let (Caller::Service(name), Some(source)) = (&ctx.caller, &ctx.origin.source_arn) {
        set("aws:PrincipalServiceName", (*name).to_owned());
        set("aws:SourceArn", source.clone());
        set("aws:SourceAccount", ctx.account.to_string());
        // The older name for it, which alarms alone still bring: the policy of new topics goes by it.
        if *name == "cloudwatch.amazonaws.com" {
            set("aws:SourceOwner", ctx.account.to_string());
        }
    }
    let is_service = matches!(ctx.caller, Caller::Service(_));
    set("aws:PrincipalIsAWSService", is_service.to_string());
    set("aws:RequestedRegion", ctx.region.to_string());
    set("aws:CurrentTime", now.to_rfc3339());
    set("aws:EpochTime", (now.0 / 1000).to_string());
    let inner = ctx.origin.via.is_some();
    set("aws:ViaAWSService", inner.to_string());
    if let Some(service) = ctx.origin.via {
        set("aws:CalledVia", service.to_owned());
    }
    if let Some(address) = ctx.origin.address {
        set("aws:SourceIp", address.to_string());
        let secure = ctx.endpoint.starts_with("https:");
        set("aws:SecureTransport", secure.to_string());
    }
    if !ctx.origin.user_agent.is_empty() {
        set("aws:UserAgent", ctx.origin.user_agent.clone());
    }
    if let Some(account) = resource.split(':').nth(4).filter(|account| !account.is_empty()) {
        set("aws:ResourceAccount", account.to_owned());
    }
    for (key, values) in asked.keys.iter() {
        context.set(key, values.iter().cloned());
    }
    context
}

fn tags_of_user(user: &UserRecord) -> &[(String, String)] {
    &user.tags
}

fn tags_of_role(role: &RoleRecord) -> &[(String, String)] {
    &role.tags
}
