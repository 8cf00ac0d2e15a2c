//! SimulateCustomPolicy, SimulatePrincipalPolicy, and the keys that such a request would have to bring.

use roadstead_api_iam::{
    GetContextKeysForCustomPolicyRequest, GetContextKeysForPolicyResponse,
    GetContextKeysForPrincipalPolicyRequest, SimulateCustomPolicyRequest, SimulatePolicyResponse,
    SimulatePrincipalPolicyRequest,
};
use roadstead_base::{Arn, Ctx};
use roadstead_protocol::ApiError;

use crate::authority::Layers;
use crate::error::{Result, input as invalid, none};
use crate::ops::policies::bad_arn;
use crate::page::page;
use crate::realm::{Kind, Realm};
use crate::service::Iam;
use crate::simulate::{Simulation, brought, brought_resource, context, context_keys};

/// What both requests ask in the same way.
struct Asked {
    actions: Vec<String>,
    resources: Option<Vec<String>>,
    marker: Option<String>,
    max_items: Option<i32>,
    scope: String,
}

/// The scenarios of instances, which ask for several resources at once, are not simulated.
fn refuse_scenario(option: Option<&String>) -> Result<()> {
    match option {
        Some(option) => Err(invalid(format!(
            "ResourceHandlingOption {option} is not supported by Roadstead yet."
        ))),
        None => Ok(()),
    }
}

/// An account's id, or the ARN of its root.
fn owner(owner: Option<String>) -> Result<Option<String>> {
    let Some(text) = owner else { return Ok(None) };
    let account = match text.parse::<Arn>() {
        Ok(arn) => arn.account,
        Err(_) => text.clone(),
    };
    match account.parse::<roadstead_base::AccountId>() {
        Ok(account) => Ok(Some(account.to_string())),
        Err(_) => Err(invalid(format!("ResourceOwner {text} names no account."))),
    }
}

fn run(ctx: &Ctx, simulation: &Simulation, asked: Asked) -> Result<SimulatePolicyResponse> {
    let Asked {
        actions,
        resources,
        marker,
        max_items,
        scope,
    } = asked;
    let resources = resources
        .filter(|all| !all.is_empty())
        .unwrap_or_else(|| vec!["*".to_owned()]);
    let pairs = actions
        .iter()
        .flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let items = pairs
        .enumerate()
        .map(|(index, pair)| (format!("{index:09}"), pair));
    let page = page(ctx, &scope, items, marker, max_items)?;
    let results: Result<Vec<_>> = page
        .items
        .into_iter()
        .map(|(action, resource)| simulation.run(action, resource))
        .collect();
    Ok(SimulatePolicyResponse {
        evaluation_results: Some(results?),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn custom(
    iam: &Iam,
    ctx: &Ctx,
    input: SimulateCustomPolicyRequest,
) -> Result<SimulatePolicyResponse> {
    let SimulateCustomPolicyRequest {
        action_names,
        policy_input_list,
        caller_arn,
        context_entries,
        marker,
        max_items,
        permissions_boundary_policy_input_list,
        resource_arns,
        resource_handling_option,
        resource_owner,
        resource_policy,
    } = input;
    refuse_scenario(resource_handling_option.as_ref())?;
    if resource_policy.is_some() && caller_arn.is_none() {
        return Err(invalid("CallerArn is required with ResourcePolicy."));
    }
    let boundary = permissions_boundary_policy_input_list
        .map(|list| brought(&list, "PermissionsBoundaryPolicyInputList"))
        .transpose()?;
    let simulation = Simulation {
        layers: Layers {
            identity: brought(&policy_input_list, "PolicyInputList")?,
            boundary,
        },
        resource_policy: brought_resource(resource_policy.as_ref())?,
        resource_account: owner(resource_owner)?,
        account: ctx.account.to_string(),
        caller: caller_arn.unwrap_or_default(),
        context: context(context_entries)?,
    };
    let scope = format!("SimulateCustomPolicy/{action_names:?}/{resource_arns:?}");
    let asked = Asked {
        actions: action_names,
        resources: resource_arns,
        marker,
        max_items,
        scope,
    };
    // Nothing of the account is looked at.
    iam.read(ctx, |_| run(ctx, &simulation, asked)).await
}

/// The policies of the user, group or role of that ARN.
fn layers(iam: &Iam, realm: &Realm<'_>, arn: &str) -> Result<Layers> {
    let parsed: Arn = arn.parse().map_err(|_| bad_arn(arn))?;
    let kinds = [Kind::User, Kind::Group, Kind::Role];
    let found = kinds
        .into_iter()
        .find_map(|kind| Some((kind, parsed.resource_of(kind.word())?)));
    let (kind, name) = found
        .filter(|_| parsed.service == "iam")
        .ok_or_else(|| bad_arn(arn))?;
    let name = name.rsplit('/').next().unwrap_or(name);
    let missing = || -> ApiError { none(kind.word(), name) };
    if parsed.account != realm.keys.account.as_str() {
        return Err(missing());
    }
    let entry = realm.entry(kind, name).ok_or_else(missing)?;
    Ok(iam.layers(realm, entry))
}

pub(crate) async fn principal(
    iam: &Iam,
    ctx: &Ctx,
    input: SimulatePrincipalPolicyRequest,
) -> Result<SimulatePolicyResponse> {
    let SimulatePrincipalPolicyRequest {
        action_names,
        policy_source_arn,
        caller_arn,
        context_entries,
        marker,
        max_items,
        permissions_boundary_policy_input_list,
        policy_input_list,
        resource_arns,
        resource_handling_option,
        resource_owner,
        resource_policy,
    } = input;
    refuse_scenario(resource_handling_option.as_ref())?;
    if resource_policy.is_some() && caller_arn.is_none() && policy_source_arn.contains(":group/") {
        return Err(invalid(
            "CallerArn is required with ResourcePolicy when the source is a group.",
        ));
    }
    let more = brought(&policy_input_list.unwrap_or_default(), "PolicyInputList")?;
    let boundary = permissions_boundary_policy_input_list
        .map(|list| brought(&list, "PermissionsBoundaryPolicyInputList"))
        .transpose()?;
    let resource_policy = brought_resource(resource_policy.as_ref())?;
    let resource_account = owner(resource_owner)?;
    let context = context(context_entries)?;
    let scope = format!("SimulatePrincipalPolicy/{policy_source_arn}/{action_names:?}/{resource_arns:?}");
    let asked = Asked {
        actions: action_names,
        resources: resource_arns,
        marker,
        max_items,
        scope,
    };
    iam.read(ctx, |realm| {
        let mut layers = layers(iam, realm, &policy_source_arn)?;
        layers.identity.extend(more);
        // A boundary in the request takes the place of the attached one.
        if boundary.is_some() {
            layers.boundary = boundary;
        }
        let simulation = Simulation {
            layers,
            resource_policy,
            resource_account,
            account: ctx.account.to_string(),
            caller: caller_arn.unwrap_or_else(|| policy_source_arn.clone()),
            context,
        };
        run(ctx, &simulation, asked)
    })
    .await
}

pub(crate) async fn keys_of_custom(
    iam: &Iam,
    ctx: &Ctx,
    input: GetContextKeysForCustomPolicyRequest,
) -> Result<GetContextKeysForPolicyResponse> {
    let GetContextKeysForCustomPolicyRequest { policy_input_list } = input;
    let policies = brought(&policy_input_list, "PolicyInputList")?;
    iam.read(ctx, |_| {
        Ok(GetContextKeysForPolicyResponse {
            context_key_names: Some(context_keys(&policies).into_iter().collect()),
        })
    })
    .await
}

pub(crate) async fn keys_of_principal(
    iam: &Iam,
    ctx: &Ctx,
    input: GetContextKeysForPrincipalPolicyRequest,
) -> Result<GetContextKeysForPolicyResponse> {
    let GetContextKeysForPrincipalPolicyRequest {
        policy_source_arn,
        policy_input_list,
    } = input;
    let more = brought(&policy_input_list.unwrap_or_default(), "PolicyInputList")?;
    iam.read(ctx, |realm| {
        let layers = layers(iam, realm, &policy_source_arn)?;
        let all = layers
            .identity
            .iter()
            .chain(&more)
            .chain(layers.boundary.iter().flatten());
        Ok(GetContextKeysForPolicyResponse {
            context_key_names: Some(context_keys(all).into_iter().collect()),
        })
    })
    .await
}
