//! Resource policies of functions, versions and aliases, statement by statement.

use roadstead_api_lambda::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse, RemovePermissionRequest,
};
use roadstead_base::Ctx;
use roadstead_policy::Kind;
use serde_json::{Value as Json, json};

use crate::error::{Error, Result, refuse};
use crate::names::Named;
use crate::records::{FunctionRecord, LATEST, PolicyRecord};
use crate::{Lambda, aliases};

/// Bytes. Source: "Lambda quotas".
pub(crate) const MAX_POLICY: usize = 20 * 1024;

/// Whose policy it is: the function's own is that of no qualifier. It must be there.
fn owner(lambda: &Lambda, ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<(Named, String)> {
    let named = Named::of(ctx, name, qualifier)?;
    let partition = ctx.partition();
    let function = lambda.function(&partition, &named)?;
    match named.qualifier.as_deref() {
        // A name that is no number can only be an alias.
        Some(alias) if alias != LATEST && alias.parse::<u64>().is_err() => {
            if !function.aliases.contains_key(alias) {
                return Err(aliases::missing(ctx, &named.name, alias));
            }
        }
        _ => drop(lambda.version(&partition, &function, &named)?),
    }
    if named.qualifier.as_deref() == Some(LATEST) {
        return Err(Error::invalid(
            "We currently do not support adding policies for $LATEST.",
        ));
    }
    let of = named.qualifier.clone().unwrap_or_default();
    Ok((named, of))
}

/// The policy as a document; none: there is none.
pub(crate) fn document(function: &FunctionRecord, of: &str) -> Option<String> {
    let policy = function.policies.get(of)?;
    let statements: Vec<&Json> = policy.statements.iter().map(|(_, statement)| statement).collect();
    let document = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
    (!statements.is_empty()).then(|| document.to_string())
}

/// `shows`: the operation that shows the revision.
pub(crate) fn check_revision(
    policy: &PolicyRecord,
    wanted: Option<&String>,
    shows: &'static str,
) -> Result<()> {
    match wanted {
        Some(wanted) if *wanted != policy.revision => Err(Error::Precondition(shows)),
        _ => Ok(()),
    }
}

pub(crate) async fn add_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse> {
    let AddPermissionRequest {
        action,
        function_name,
        principal,
        statement_id,
        event_source_token,
        function_url_auth_type,
        invoked_via_function_url,
        principal_org_id,
        qualifier,
        revision_id,
        source_account,
        source_arn,
    } = input;
    refuse("EventSourceToken", event_source_token.as_ref())?;
    refuse("FunctionUrlAuthType", function_url_auth_type.as_ref())?;
    refuse("InvokedViaFunctionUrl", invoked_via_function_url.as_ref())?;
    refuse("PrincipalOrgID", principal_org_id.as_ref())?;
    let (named, of) = owner(lambda, ctx, &function_name, qualifier.as_deref())?;
    let anything = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": who(&principal), "Action": "lambda:*", "Resource": "*"}],
    });
    if roadstead_policy::parse(&anything.to_string(), Kind::Resource).is_err() {
        return Err(Error::invalid(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    }
    let mut statement = json!({
        "Sid": statement_id, "Effect": "Allow", "Principal": who(&principal), "Action": action,
        "Resource": named.arn(&ctx.partition()),
    });
    if let Some(account) = source_account {
        statement["Condition"]["StringEquals"]["AWS:SourceAccount"] = json!(account);
    }
    if let Some(arn) = source_arn {
        statement["Condition"]["ArnLike"]["AWS:SourceArn"] = json!(arn);
    }
    let alone = json!({"Version": "2012-10-17", "Statement": [statement]});
    roadstead_policy::parse(&alone.to_string(), Kind::Resource)
        .map_err(|fault| Error::invalid(format!("The statement is not valid: {fault}")))?;
    lambda
        .change_function(ctx, &named, |function| {
            let policy = function.policies.entry(of.clone()).or_default();
            check_revision(policy, revision_id.as_ref(), "GetPolicy")?;
            if policy.statements.iter().any(|(id, _)| *id == statement_id) {
                return Err(Error::Conflict(format!(
                    "The statement id ({statement_id}) provided already exists. Please provide a new statement id, or remove the existing statement."
                )));
            }
            policy.statements.push((statement_id.clone(), statement.clone()));
            policy.revision = roadstead_base::random_uuid();
            match document(function, &of) {
                Some(text) if text.len() > MAX_POLICY => Err(Error::PolicyTooLong(MAX_POLICY)),
                _ => Ok(()),
            }
        })
        .await?;
    Ok(AddPermissionResponse {
        statement: Some(statement.to_string()),
    })
}

/// A service by its name, an account, or a user or role by its ARN; everybody.
pub(crate) fn who(principal: &str) -> Json {
    match principal {
        "*" => json!("*"),
        name if [".amazonaws.com", ".amazon.com"]
            .iter()
            .any(|end| name.ends_with(end)) =>
        {
            json!({"Service": name})
        }
        account if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!({"AWS": format!("arn:aws:iam::{account}:root")})
        }
        arn => json!({"AWS": arn}),
    }
}

pub(crate) async fn remove_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: RemovePermissionRequest,
) -> Result<()> {
    let RemovePermissionRequest {
        function_name,
        statement_id,
        qualifier,
        revision_id,
    } = input;
    let (named, of) = owner(lambda, ctx, &function_name, qualifier.as_deref())?;
    lambda
        .change_function(ctx, &named, |function| {
            let none = || Error::NotFound("No policy is associated with the given resource.".into());
            let policy = function.policies.get_mut(&of).ok_or_else(none)?;
            check_revision(policy, revision_id.as_ref(), "GetPolicy")?;
            let before = policy.statements.len();
            policy.statements.retain(|(id, _)| *id != statement_id);
            if policy.statements.len() == before {
                return Err(Error::NotFound(format!(
                    "Statement {statement_id} is not found in resource policy."
                )));
            }
            policy.revision = roadstead_base::random_uuid();
            if policy.statements.is_empty() {
                function.policies.remove(&of);
            }
            Ok(())
        })
        .await?;
    Ok(())
}

pub(crate) fn get_policy(lambda: &Lambda, ctx: &Ctx, input: GetPolicyRequest) -> Result<GetPolicyResponse> {
    let GetPolicyRequest {
        function_name,
        qualifier,
    } = input;
    let (named, of) = owner(lambda, ctx, &function_name, qualifier.as_deref())?;
    let function = lambda.function(&ctx.partition(), &named)?;
    let Some(policy) = document(&function, &of) else {
        return Err(Error::NotFound(
            "The resource you requested does not exist.".into(),
        ));
    };
    Ok(GetPolicyResponse {
        policy: Some(policy),
        revision_id: function.policies.get(&of).map(|policy| policy.revision.clone()),
    })
}
