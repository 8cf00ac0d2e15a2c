//! Who else may use a version of a layer, statement by statement.

use roadstead_api_lambda::{
    AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse, GetLayerVersionPolicyRequest,
    GetLayerVersionPolicyResponse, RemoveLayerVersionPermissionRequest,
};
use roadstead_base::{AccountId, Ctx};
use roadstead_store::Change;
use serde_json::{Value as Json, json};

use super::named::Layer;
use crate::Lambda;
use crate::error::{Error, Result, refuse};
use crate::policy::{MAX_POLICY, check_revision, who};
use crate::records::{self, LayerVersionRecord, PolicyRecord};

const GET: &str = "GetLayerVersionPolicy";
/// What the service calls it in its refusals.
const SHOWS: &str = "GetLayerPolicy";

/// The policy of a version, by its ARN, as a document; none: there is none.
pub(crate) fn document(lambda: &Lambda, ctx: &Ctx, arn: &str) -> Option<String> {
    let (layer, number) = Layer::version_of(ctx, arn).ok()?;
    text(&lambda.layer_version(&layer, number)?.policy)
}

fn text(policy: &PolicyRecord) -> Option<String> {
    let statements: Vec<&Json> = policy.statements.iter().map(|(_, statement)| statement).collect();
    let document = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
    (!statements.is_empty()).then(|| document.to_string())
}

/// Whether the policy lets an account use the version.
pub(super) fn lets_in(policy: &PolicyRecord, account: &AccountId) -> bool {
    let principals = [json!("*"), who(account.as_str())];
    policy
        .statements
        .iter()
        .any(|(_, statement)| principals.contains(&statement["Principal"]))
}

fn missing(layer: &Layer, number: u64) -> Error {
    Error::NotFound(format!(
        "Layer version {} does not exist.",
        layer.version_arn(number)
    ))
}

pub(crate) async fn add_layer_version_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: AddLayerVersionPermissionRequest,
) -> Result<AddLayerVersionPermissionResponse> {
    let AddLayerVersionPermissionRequest {
        action,
        layer_name,
        principal,
        statement_id,
        version_number,
        organization_id,
        revision_id,
    } = input;
    refuse("OrganizationId", organization_id.as_ref())?;
    let number = super::number(version_number)?;
    let layer = Layer::own(ctx, &layer_name, "AddLayerVersionPermission", Some(number))?;
    let statement = json!({
        "Sid": statement_id, "Effect": "Allow", "Principal": who(&principal), "Action": action,
        "Resource": layer.version_arn(number),
    });
    let policy = change(lambda, &layer, number, |policy| {
        check_revision(policy, revision_id.as_ref(), SHOWS)?;
        if policy.statements.iter().any(|(id, _)| *id == statement_id) {
            return Err(Error::Conflict(format!(
                "The statement id ({statement_id}) provided already exists. Please provide a new statement id, or remove the existing statement."
            )));
        }
        policy.statements.push((statement_id.clone(), statement.clone()));
        match text(policy) {
            Some(text) if text.len() > MAX_POLICY => Err(Error::PolicyTooLong(MAX_POLICY)),
            _ => Ok(()),
        }
    })
    .await?;
    Ok(AddLayerVersionPermissionResponse {
        revision_id: Some(policy.revision),
        statement: Some(statement.to_string()),
    })
}

pub(crate) async fn remove_layer_version_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: RemoveLayerVersionPermissionRequest,
) -> Result<()> {
    let RemoveLayerVersionPermissionRequest {
        layer_name,
        statement_id,
        version_number,
        revision_id,
    } = input;
    let number = super::number(version_number)?;
    let layer = Layer::own(ctx, &layer_name, "RemoveLayerVersionPermission", Some(number))?;
    change(lambda, &layer, number, |policy| {
        check_revision(policy, revision_id.as_ref(), SHOWS)?;
        let before = policy.statements.len();
        policy.statements.retain(|(id, _)| *id != statement_id);
        match policy.statements.len() == before {
            true => Err(Error::NotFound(format!(
                "Statement {statement_id} is not found in resource policy."
            ))),
            false => Ok(()),
        }
    })
    .await?;
    Ok(())
}

pub(crate) fn get_layer_version_policy(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetLayerVersionPolicyRequest,
) -> Result<GetLayerVersionPolicyResponse> {
    let GetLayerVersionPolicyRequest {
        layer_name,
        version_number,
    } = input;
    let number = super::number(version_number)?;
    let layer = Layer::own(ctx, &layer_name, GET, Some(number))?;
    let record = lambda
        .layer_version(&layer, number)
        .ok_or_else(|| missing(&layer, number))?;
    let policy = text(&record.policy)
        .ok_or_else(|| Error::NotFound("No policy is associated with the given resource.".into()))?;
    Ok(GetLayerVersionPolicyResponse {
        policy: Some(policy),
        revision_id: Some(record.policy.revision),
    })
}

/// Another policy, under another revision.
async fn change(
    lambda: &Lambda,
    layer: &Layer,
    number: u64,
    mut apply: impl FnMut(&mut PolicyRecord) -> Result<()>,
) -> Result<PolicyRecord> {
    let key = records::layer_version_key(&lambda.store, &layer.partition, &layer.name, number);
    let update = |found: Option<&LayerVersionRecord>| {
        let mut record = found.ok_or_else(|| missing(layer, number))?.clone();
        apply(&mut record.policy)?;
        record.policy.revision = roadstead_base::random_uuid();
        Ok::<_, Error>(Change::Put(record))
    };
    let updated = records::layer_versions(&lambda.store)
        .update(&key, update)
        .await?;
    lambda.layer_versions.wait_for(updated.revision).await?;
    updated
        .value
        .map(|record| record.policy)
        .ok_or_else(|| missing(layer, number))
}
