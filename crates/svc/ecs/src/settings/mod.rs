//! Account settings: what an account, or a user or role of it, chose for what it makes from then on. Only those
//! exist whose choice changes something here, or of which one value is what holds here; the others are refused by name.
//! The root's choice is everybody's who has none of their own.

pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod put;

use roadstead_api_ecs::{Setting, SettingName, SettingType};
use roadstead_base::{AccountId, Caller, Ctx};
use roadstead_store::Key;
use serde::{Deserialize, Serialize};

use crate::Ecs;
use crate::error::{Error, Result};

/// What a principal chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettingRecord {
    /// The setting's name in the API.
    pub name: String,
    /// An ARN; the root's stands for all who have none of their own.
    pub principal: String,
    pub value: String,
}

/// The settings that exist, in order of their names, with the value that each has until somebody chooses. That
/// ARNs are long is no choice any more: the cloud made them so for everybody, and here they never were otherwise.
const KNOWN: [(SettingName, &str, &[&str]); 7] = [
    (SettingName::AwsvpcTrunking, "disabled", &["disabled"]),
    (SettingName::ContainerInsights, "disabled", &["disabled"]),
    (
        SettingName::ContainerInstanceLongArnFormat,
        "enabled",
        &["enabled"],
    ),
    (SettingName::DualStackIpv6, "enabled", &["enabled", "disabled"]),
    (SettingName::FargateFipsMode, "disabled", &["disabled"]),
    (SettingName::ServiceLongArnFormat, "enabled", &["enabled"]),
    (SettingName::TaskLongArnFormat, "enabled", &["enabled"]),
];

/// The default of a setting, and what it can be set to; those that have no effect are refused.
fn known(name: SettingName) -> Result<(&'static str, &'static [&'static str])> {
    KNOWN
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, default, values)| (*default, *values))
        .ok_or_else(|| Error::unsupported(format!("The account setting {}", name.as_str())))
}

fn root(account: &AccountId) -> String {
    Caller::Root.arn(account)
}

/// Whose settings a caller has: its own, a session those of its role, and a part of the platform the root's.
fn own(ctx: &Ctx) -> String {
    match &ctx.caller {
        Caller::User(user) => user.arn.clone(),
        Caller::Role(session) => session.role_arn.clone(),
        Caller::Root | Caller::Service(_) | Caller::Node => root(&ctx.account),
    }
}

/// The principal that a request names, or the caller. Only the root names others.
fn principal(ctx: &Ctx, named: Option<String>) -> Result<String> {
    let own = own(ctx);
    let Some(named) = named.filter(|named| !named.is_empty()) else {
        return Ok(own);
    };
    let rest = named.strip_prefix(&format!("arn:aws:iam::{}:", ctx.account));
    let fits = rest.is_some_and(|rest| {
        rest == "root"
            || ["user/", "role/"]
                .iter()
                .any(|kind| rest.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
    });
    if !fits {
        return Err(Error::invalid(format!(
            "The principalArn {named:?} is not the ARN of a user, a role or the root user of this account."
        )));
    }
    if named != own && !matches!(ctx.caller, Caller::Root) {
        return Err(Error::client(
            "Only the root user can use the account settings of another principal.",
        ));
    }
    Ok(named)
}

fn key(ecs: &Ecs, ctx: &Ctx, name: SettingName, principal: &str) -> Key {
    ecs.account_settings()
        .within(&ctx.partition())
        .child(name.as_str())
        .child(principal)
}

/// What a principal chose itself.
async fn chosen(ecs: &Ecs, ctx: &Ctx, name: SettingName, principal: &str) -> Result<Option<String>> {
    let entry = ecs
        .account_settings()
        .get(&key(ecs, ctx, name, principal))
        .await?;
    Ok(entry.map(|entry| entry.value.value))
}

/// What holds for a principal.
async fn effective(ecs: &Ecs, ctx: &Ctx, name: SettingName, principal: &str) -> Result<String> {
    let (default, _) = known(name)?;
    if let Some(own) = chosen(ecs, ctx, name, principal).await? {
        return Ok(own);
    }
    let of_root = chosen(ecs, ctx, name, &root(&ctx.account)).await?;
    Ok(of_root.unwrap_or_else(|| default.to_owned()))
}

/// Whether tasks that the caller starts get an IPv6 address where the subnet has a block.
pub(crate) async fn dual_stack(ecs: &Ecs, ctx: &Ctx) -> Result<bool> {
    Ok(effective(ecs, ctx, SettingName::DualStackIpv6, &own(ctx)).await? == "enabled")
}

fn show(name: SettingName, value: String, principal: String) -> Setting {
    Setting {
        name: Some(name),
        principal_arn: Some(principal),
        r#type: Some(SettingType::User),
        value: Some(value),
    }
}

#[cfg(test)]
mod tests;
