//! What policies would decide, without anybody asking: one result for each action on each resource.

use std::collections::BTreeSet;
use std::sync::Arc;

use roadstead_api_iam::{
    ContextEntry, EvaluationResult, PermissionsBoundaryDecisionDetail, PolicyEvaluationDecisionType,
    PolicySourceType, Position, Statement,
};
use roadstead_policy::{
    Cause, Context, Decision, Kind as Document, Policies, Policy, Principal, Request, Source, decide, parse,
};

use crate::authority::{Layers, Named, plain};
use crate::error::{Result, input as invalid, malformed};

/// The policies and the circumstances.
pub(crate) struct Simulation {
    pub(crate) layers: Layers,
    pub(crate) resource_policy: Option<Arc<Policy>>,
    pub(crate) resource_account: Option<String>,
    pub(crate) account: String,
    /// Who asks: the ARN of a user or role.
    pub(crate) caller: String,
    pub(crate) context: Context,
}

/// Policies that a request brings along.
pub(crate) fn brought(list: &[String], called: &str) -> Result<Vec<Named>> {
    list.iter()
        .enumerate()
        .map(|(index, document)| {
            let policy = parse(document, Document::Identity).map_err(|error| malformed(&error))?;
            Ok(Named {
                id: format!("{called}.{}", index + 1),
                source: PolicySourceType::None,
                policy: Arc::new(policy),
            })
        })
        .collect()
}

pub(crate) fn brought_resource(document: Option<&String>) -> Result<Option<Arc<Policy>>> {
    document
        .map(|document| {
            let policy = parse(document, Document::Resource).map_err(|error| malformed(&error))?;
            Ok(Arc::new(policy))
        })
        .transpose()
}

/// The type is for the reader: values are compared as the operators say.
pub(crate) fn context(entries: Option<Vec<ContextEntry>>) -> Result<Context> {
    let mut context = Context::default();
    for entry in entries.unwrap_or_default() {
        let ContextEntry {
            context_key_name,
            context_key_type,
            context_key_values,
        } = entry;
        let name = context_key_name.ok_or_else(|| invalid("A context entry has no ContextKeyName."))?;
        let kind = context_key_type
            .ok_or_else(|| invalid(format!("The context entry {name} has no ContextKeyType.")))?;
        let values = context_key_values.unwrap_or_default();
        if values.len() > 1 && !kind.as_str().ends_with("List") {
            return Err(invalid(format!(
                "The context entry {name} has {} values, and its type {kind} takes one.",
                values.len()
            )));
        }
        context.set(&name, values);
    }
    Ok(context)
}

impl Simulation {
    pub(crate) fn run(&self, action: &str, resource: &str) -> Result<EvaluationResult> {
        let named = action.split_once(':');
        if !named.is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
            return Err(invalid(format!("Invalid action name: {action}")));
        }
        let request = Request {
            principal: self.principal(),
            action,
            resource,
            resource_account: self.resource_account.as_deref(),
            context: &self.context,
        };
        let identity = plain(&self.layers.identity);
        let boundary = self.layers.boundary.as_deref().map(plain);
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_deref(),
            session: None,
            resource: self.resource_policy.as_deref(),
            resource_must_allow: false,
        };
        let decision = decide(policies, &request);
        let bounds = boundary.as_deref().map(|boundary| {
            let alone = Policies {
                identity: boundary,
                ..Policies::default()
            };
            PermissionsBoundaryDecisionDetail {
                allowed_by_permissions_boundary: Some(decide(alone, &request).is_allowed()),
            }
        });
        Ok(EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_decision: match decision.cause {
                Cause::Allowed => PolicyEvaluationDecisionType::Allowed,
                Cause::Denied(_) => PolicyEvaluationDecisionType::ExplicitDeny,
                Cause::NotAllowed(_) => PolicyEvaluationDecisionType::ImplicitDeny,
            },
            eval_decision_details: None,
            eval_resource_name: Some(resource.to_owned()),
            matched_statements: Some(self.statements(&decision)),
            missing_context_values: Some(self.missing()),
            organizations_decision_detail: None,
            permissions_boundary_decision_detail: bounds,
            resource_specific_results: None,
        })
    }

    fn principal(&self) -> Principal<'_> {
        let account = self.caller.split(':').nth(4).unwrap_or(&self.account);
        if self.caller.contains(":role/") {
            return Principal::Session {
                account,
                role_arn: &self.caller,
                session_arn: "",
            };
        }
        Principal::User {
            account,
            arn: &self.caller,
        }
    }

    fn statements(&self, decision: &Decision<'_>) -> Vec<Statement> {
        let place = |position: roadstead_policy::Position| Position {
            line: i32::try_from(position.line).ok(),
            column: i32::try_from(position.column).ok(),
        };
        let named = |source: Source, policy: usize| {
            let list = match source {
                Source::Identity => Some(&self.layers.identity),
                Source::Boundary => self.layers.boundary.as_ref(),
                Source::Session | Source::Resource => None,
            };
            match list.and_then(|list| list.get(policy)) {
                Some(named) => (named.id.clone(), named.source),
                None => ("ResourcePolicy".to_owned(), PolicySourceType::Resource),
            }
        };
        decision
            .matched
            .iter()
            .map(|matched| {
                let (id, source) = named(matched.source, matched.policy);
                Statement {
                    source_policy_id: Some(id),
                    source_policy_type: Some(source),
                    start_position: Some(place(matched.statement.start)),
                    end_position: Some(place(matched.statement.end)),
                }
            })
            .collect()
    }

    /// Keys that the policies ask for and the request did not bring.
    fn missing(&self) -> Vec<String> {
        let mut keys = context_keys(
            self.layers
                .identity
                .iter()
                .chain(self.layers.boundary.iter().flatten()),
        );
        if let Some(policy) = &self.resource_policy {
            keys.extend(policy.context_keys());
        }
        keys.retain(|key| self.context.get(key).is_none());
        keys.into_iter().collect()
    }
}

pub(crate) fn context_keys<'a>(policies: impl IntoIterator<Item = &'a Named>) -> BTreeSet<String> {
    policies
        .into_iter()
        .flat_map(|named| named.policy.context_keys())
        .collect()
}
