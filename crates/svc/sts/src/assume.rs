//! AssumeRole. That the role trusts the caller, and that the caller may, was decided at the gate by the role's trust
//! policy; what is left is what the request itself can be.

use std::sync::Arc;

use roadstead_api_iam::GetRoleRequest;
use roadstead_api_sts::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser, PolicyDescriptorType, Tag};
use roadstead_base::{Arn, Caller, Ctx, RoleSession};
use roadstead_policy::{Kind, parse};

use crate::error::{Result, denied, malformed, may_not, no_authority, too_large, unsupported, validation};
use crate::service::{Sts, credentials, role_of};

/// Seconds, unless it is said.
const DEFAULT: i32 = 3600;
/// Of a session that a session makes.
const CHAINED: i32 = 3600;
const MAX_ARNS: usize = 10;
const MAX_TAGS: usize = 50;
/// Characters of a session policy, and of the packed policies and tags together.
const MAX_POLICY: usize = 2048;
const MAX_PACKED: usize = 4096;

pub(crate) async fn run(sts: &Sts, ctx: &Ctx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse> {
    let AssumeRoleRequest {
        role_arn,
        role_session_name,
        duration_seconds,
        // For the trust policy's conditions: the gate had it.
        external_id,
        policy,
        policy_arns,
        provided_contexts,
        serial_number,
        source_identity,
        tags,
        token_code,
        transitive_tag_keys,
    } = input;
    drop(external_id);
    for (member, asked) in [
        (
            "ProvidedContexts",
            provided_contexts.is_some_and(|all| !all.is_empty()),
        ),
        ("SerialNumber", serial_number.is_some()),
        ("TokenCode", token_code.is_some()),
    ] {
        if asked {
            return Err(unsupported(member));
        }
    }
    let caller = ctx.caller.arn(&ctx.account);
    let before = match &ctx.caller {
        Caller::Root => return Err(denied("Roles may not be assumed by root accounts.")),
        Caller::Service(_) | Caller::Node => return Err(may_not(&caller, &role_arn)),
        Caller::User(_) => None,
        Caller::Role(session) => Some(session.clone()),
    };
    let (account, name) = role_of(&role_arn).ok_or_else(|| validation(format!("{role_arn} is invalid")))?;
    let role = find(sts, ctx, &account, &name).await;
    let role = role
        .filter(|role| role.arn == role_arn)
        .ok_or_else(|| may_not(&caller, &role_arn))?;
    let seconds = duration(
        duration_seconds,
        role.max_session_duration.unwrap_or(DEFAULT),
        before.is_some(),
    )?;
    let tags = checked_tags(tags, before.as_deref())?;
    let mut transitive = transitive_tag_keys.unwrap_or_default();
    for key in &transitive {
        if !tags.iter().any(|(tag, _)| tag.eq_ignore_ascii_case(key)) {
            return Err(validation(format!(
                "The transitive tag key {key} is not among the tags."
            )));
        }
    }
    if let Some(before) = &before {
        transitive.extend(before.transitive.iter().cloned());
    }
    let source_identity = match (
        before.as_ref().and_then(|before| before.source_identity.clone()),
        source_identity,
    ) {
        // It cannot be changed along a chain.
        (Some(set), Some(other)) if set != other => {
            return Err(denied(
                "SourceIdentity is set and cannot be changed by a chained session.",
            ));
        }
        (Some(set), _) => Some(set),
        (None, new) => new,
    };
    let (policies, policy_arns) = session_policies(policy, policy_arns)?;
    let packed = packed(&policies, &policy_arns, &tags);
    if packed > 100 {
        return Err(too_large(packed));
    }
    let issued = sts.clock.now();
    let session = RoleSession {
        role_arn,
        role_id: role.role_id,
        name: role_session_name,
        issued,
        expires: issued.plus_millis(i64::from(seconds) * 1000),
        policies,
        policy_arns,
        tags,
        transitive,
        source_identity: source_identity.clone(),
        chained: before.is_some(),
    };
    let (arn, user_id, expires) = (session.arn(), session.user_id(), session.expires);
    let caller = Caller::Role(Arc::new(session));
    let keys = sts.dispatcher.issue_keys(&caller, &account, expires);
    Ok(AssumeRoleResponse {
        assumed_role_user: Some(AssumedRoleUser {
            arn,
            assumed_role_id: user_id,
        }),
        credentials: Some(credentials(keys.ok_or_else(no_authority)?)),
        packed_policy_size: Some(packed),
        source_identity,
    })
}

/// A role of any account.
pub(crate) async fn find(
    sts: &Sts,
    ctx: &Ctx,
    account: &roadstead_base::AccountId,
    name: &str,
) -> Option<roadstead_api_iam::Role> {
    let own = sts
        .dispatcher
        .internal_ctx("sts.amazonaws.com", account.clone(), ctx.region.clone());
    let input = GetRoleRequest {
        role_name: name.to_owned(),
    };
    sts.iam.get_role(&own, input).await.ok().map(|answer| answer.role)
}

fn duration(asked: Option<i32>, most: i32, chained: bool) -> Result<i32> {
    let Some(asked) = asked else {
        return Ok(DEFAULT.min(most));
    };
    if chained && asked > CHAINED {
        return Err(validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if asked > most {
        return Err(validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(asked)
}

/// The session's tags: the request's, and those that earlier sessions of the chain hand on, which stay as they are.
fn checked_tags(tags: Option<Vec<Tag>>, before: Option<&RoleSession>) -> Result<Vec<(String, String)>> {
    let mut all: Vec<(String, String)> = Vec::new();
    if let Some(before) = before {
        let handed_on = |(key, _): &&(String, String)| {
            before
                .transitive
                .iter()
                .any(|name| name.eq_ignore_ascii_case(key))
        };
        all.extend(before.tags.iter().filter(handed_on).cloned());
    }
    let inherited = all.len();
    for Tag { key, value } in tags.unwrap_or_default() {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(validation("Tag keys that begin with aws: are reserved for AWS."));
        }
        match all.iter().position(|(other, _)| other.eq_ignore_ascii_case(&key)) {
            Some(at) if at < inherited => {
                return Err(validation(format!(
                    "The tag {key} is transitive in the calling session and cannot be set again."
                )));
            }
            Some(_) => {
                return Err(validation(
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
                ));
            }
            None => all.push((key, value)),
        }
    }
    if all.len() > MAX_TAGS {
        return Err(validation(format!("A session has at most {MAX_TAGS} tags.")));
    }
    Ok(all)
}

fn session_policies(
    policy: Option<String>,
    arns: Option<Vec<PolicyDescriptorType>>,
) -> Result<(Vec<String>, Vec<String>)> {
    if let Some(document) = &policy {
        parse(document, Kind::Identity).map_err(|error| malformed(&error))?;
        if document.chars().count() > MAX_POLICY {
            return Err(validation(format!(
                "A session policy has at most {MAX_POLICY} characters."
            )));
        }
    }
    let mut all = Vec::new();
    for PolicyDescriptorType { arn } in arns.unwrap_or_default() {
        let Some(arn) = arn else { continue };
        let known: Result<Arn, _> = arn.parse();
        if !known.is_ok_and(|known| known.service == "iam" && known.resource_of("policy").is_some()) {
            return Err(validation(format!("ARN {arn} is not valid.")));
        }
        all.push(arn);
    }
    if all.len() > MAX_ARNS {
        return Err(validation(format!(
            "A session has at most {MAX_ARNS} managed policies."
        )));
    }
    Ok((policy.into_iter().collect(), all))
}

/// Percent of the space there is.
fn packed(policies: &[String], arns: &[String], tags: &[(String, String)]) -> i32 {
    let text = policies.iter().chain(arns).map(|text| text.len());
    let tags = tags.iter().map(|(key, value)| key.len() + value.len() + 2);
    let size: usize = text.chain(tags).sum();
    i32::try_from((size * 100).div_ceil(MAX_PACKED)).unwrap_or(i32::MAX)
}
