//! The policy of a bus: PutPermission puts one statement of it, by its id, or all of it as a document; RemovePermission
//! takes one away, or all.

use roadstead_api_events::{PutPermissionRequest, RemovePermissionRequest};
use roadstead_base::Ctx;
use roadstead_policy::Kind;
use roadstead_store::Change;
use serde_json::{Value as Json, json};

use crate::Events;
use crate::buses::untouched_default;
use crate::error::{Error, Result, refuse};
use crate::names::{self, DEFAULT_BUS, bus_arn};
use crate::records::BusRecord;
use crate::tables::{self, bus_key};

/// Bytes. Source: PutPermission.
const MAX_POLICY: usize = 10 * 1024;
/// What accounts are permitted one at a time. Source: "Permissions for event buses".
const ACTION: &str = "events:PutEvents";

/// What to put.
enum Put {
    Statement { id: String, statement: Json },
    Document(String),
}

pub(crate) async fn put_permission(events: &Events, ctx: &Ctx, input: PutPermissionRequest) -> Result<()> {
    let PutPermissionRequest {
        action,
        condition,
        event_bus_name,
        policy,
        principal,
        statement_id,
    } = input;
    let name = names::bus(ctx, event_bus_name.as_deref())?;
    let put = match policy {
        Some(policy) => {
            for (member, given) in [
                ("Action", action.is_some()),
                ("Condition", condition.is_some()),
                ("Principal", principal.is_some()),
                ("StatementId", statement_id.is_some()),
            ] {
                if given {
                    return Err(not_valid(member, "a Policy is given in place of its parts."));
                }
            }
            Put::Document(policy)
        }
        None => {
            // It names an organization, and there is none here.
            refuse("Condition", condition.as_ref())?;
            let action = action.ok_or_else(|| missing("Action"))?;
            let principal = principal.ok_or_else(|| missing("Principal"))?;
            let id = statement_id.ok_or_else(|| missing("StatementId"))?;
            if action != ACTION {
                return Err(Error::invalid(
                    "Provided value in parameter 'action' is not supported.",
                ));
            }
            let who = match principal.as_str() {
                "*" => json!("*"),
                account => json!({"AWS": format!("arn:aws:iam::{account}:root")}),
            };
            let bus = bus_arn(&ctx.partition(), &name);
            let statement =
                json!({"Sid": id, "Effect": "Allow", "Principal": who, "Action": action, "Resource": bus});
            Put::Statement { id, statement }
        }
    };
    change(events, ctx, &name, |policy| {
        let text = match &put {
            Put::Document(text) => text.clone(),
            Put::Statement { id, statement } => {
                let mut document = read(policy.as_deref())?;
                let mut statements = statements(&mut document);
                match statements.iter_mut().find(|old| old["Sid"] == id.as_str()) {
                    Some(old) => *old = statement.clone(),
                    None => statements.push(statement.clone()),
                }
                document["Statement"] = Json::Array(statements);
                document.to_string()
            }
        };
        if text.len() > MAX_POLICY {
            return Err(Error::PolicyTooLong);
        }
        roadstead_policy::parse(&text, Kind::Resource)
            .map_err(|fault| not_valid("Policy", &fault.to_string()))?;
        *policy = Some(text);
        Ok(())
    })
    .await
}

pub(crate) async fn remove_permission(
    events: &Events,
    ctx: &Ctx,
    input: RemovePermissionRequest,
) -> Result<()> {
    let RemovePermissionRequest {
        event_bus_name,
        remove_all_permissions,
        statement_id,
    } = input;
    let name = names::bus(ctx, event_bus_name.as_deref())?;
    let all = remove_all_permissions.unwrap_or_default();
    let id = match (all, statement_id) {
        (true, Some(_)) => {
            return Err(not_valid("StatementId", "RemoveAllPermissions removes them all."));
        }
        (true, None) => None,
        (false, Some(id)) => Some(id),
        (false, None) => return Err(missing("StatementId")),
    };
    change(events, ctx, &name, |policy| {
        if policy.is_none() {
            return Err(Error::NotFound("EventBus does not have a policy.".into()));
        }
        let Some(id) = &id else {
            *policy = None;
            return Ok(());
        };
        let mut document = read(policy.as_deref())?;
        let mut statements = statements(&mut document);
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != id.as_str());
        if statements.len() == before {
            return Err(Error::NotFound(
                "Statement with the provided id does not exist.".into(),
            ));
        }
        let empty = statements.is_empty();
        document["Statement"] = Json::Array(statements);
        *policy = (!empty).then(|| document.to_string());
        Ok(())
    })
    .await
}

/// Another policy of a bus that is there; every later call is decided by it.
async fn change(
    events: &Events,
    ctx: &Ctx,
    name: &str,
    mut apply: impl FnMut(&mut Option<String>) -> Result<()>,
) -> Result<()> {
    let now = events.clock.now();
    let update = |found: Option<&BusRecord>| {
        let mut record = match found {
            Some(record) => record.clone(),
            None if name == DEFAULT_BUS => untouched_default(),
            None => return Err(Error::NoSuchBus(name.to_owned())),
        };
        apply(&mut record.policy)?;
        record.modified_at = now;
        Ok(Change::Put(record))
    };
    let key = bus_key(&ctx.partition(), name);
    let updated = tables::buses(&events.store).update(&key, update).await?;
    events.buses.wait_for(updated.revision).await?;
    Ok(())
}

/// The document, or one without statements.
fn read(policy: Option<&str>) -> Result<Json> {
    match policy {
        None => Ok(json!({"Version": "2012-10-17", "Statement": []})),
        Some(text) => serde_json::from_str(text).map_err(|error| not_valid("Policy", &error.to_string())),
    }
}

/// Takes out its statements, of which one may stand alone.
fn statements(document: &mut Json) -> Vec<Json> {
    match document["Statement"].take() {
        Json::Array(statements) => statements,
        one => vec![one],
    }
}

fn missing(member: &str) -> Error {
    not_valid(member, &format!("{member} is a required argument."))
}

fn not_valid(member: &str, reason: &str) -> Error {
    Error::invalid(format!("Parameter {member} is not valid. Reason: {reason}"))
}
