//! Resource policies: which services may write to an account's groups. Those of the account are one record, so that
//! there are never more of them than there can be; that of a group lies in the group, and goes with it.
//!
//! They decide about services alone, as PutResourcePolicy documents: users and roles go by their own policies.

pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod put;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use roadstead_api_logs::{PolicyScope, ResourcePolicy};
use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_policy::{Kind, Position};
use roadstead_store::{Key, Revision, Store, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::Logs;
use crate::error::{Error, Result};
use crate::groups::group_key;
use crate::names::{from_identifier, group_arn};

const POLICIES: &str = "logs-resource-policies";
/// Of an account in a region, besides those of groups.
const MAX_POLICIES: usize = 10;
/// Characters of an account's policy; what the model bounds is that of a group.
const MAX_DOCUMENT: usize = 5120;

/// Groups whose policies are kept as they came together. Beyond it all are forgotten, and put together again.
const MAX_JOINED: usize = 1000;

/// The policies of an account in a region, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoliciesRecord {
    pub policies: BTreeMap<String, PolicyRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    /// As it was given.
    pub document: String,
    pub updated_at: Timestamp,
}

/// The policy of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupPolicyRecord {
    pub name: Option<String>,
    pub policy: PolicyRecord,
    /// Another with every change.
    pub revision: String,
}

pub(crate) fn table(store: &Arc<dyn Store>) -> Table<PoliciesRecord> {
    Table::new(Arc::clone(store), POLICIES)
}

fn account_key(partition: &Partition) -> Key {
    Key::of(partition).child(POLICIES).child("account")
}

impl Logs {
    /// What an account's policies and a group's say together of services that write to the group. Each line that they
    /// write asks for it, so it is put together once for each change.
    pub(crate) fn policy_for_services(&self, partition: &Partition, group: &str) -> Option<Arc<str>> {
        let account = self.policies.get(&account_key(partition));
        let key = group_key(partition, group);
        let group = self.groups.get(&key);
        let revisions = (
            account.as_ref().map(|entry| entry.revision),
            group.as_ref().map(|entry| entry.revision),
        );
        if let Some(joined) = self.joined.get(&key, revisions) {
            return joined;
        }
        let all = account.iter().flat_map(|entry| entry.value.policies.values());
        let own = group.iter().filter_map(|entry| entry.value.policy.as_ref());
        let documents: Vec<&str> = all
            .chain(own.map(|own| &own.policy))
            .map(|policy| policy.document.as_str())
            .collect();
        let joined: Option<Arc<str>> = (!documents.is_empty()).then(|| joined(&documents).into());
        self.joined.keep(key, revisions, joined.clone());
        joined
    }
}

/// Of the account's policies and of the group.
type Revisions = (Option<Revision>, Option<Revision>);

/// What the policies of groups came to, for as long as they stay as they are.
#[derive(Default)]
pub(crate) struct Joined(RwLock<HashMap<Key, Kept>>);

/// Of which revisions; none: there was no policy.
type Kept = (Revisions, Option<Arc<str>>);

impl Joined {
    fn get(&self, group: &Key, revisions: Revisions) -> Option<Option<Arc<str>>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (of, joined) = all.get(group)?;
        (*of == revisions).then(|| joined.clone())
    }

    fn keep(&self, group: Key, revisions: Revisions, joined: Option<Arc<str>>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_JOINED {
            all.clear();
        }
        all.insert(group, (revisions, joined));
    }
}

/// Several documents as one. Statements lose their ids, which are unique within each document alone; what is a variable
/// in the result and was none in an older document is written out.
fn joined(documents: &[&str]) -> String {
    let mut statements = Vec::new();
    for document in documents {
        let Ok(parsed) = serde_json::from_str::<Json>(document) else {
            // The gate denies by what it cannot read.
            return (*document).to_owned();
        };
        let variables = parsed["Version"] == "2012-10-17";
        for mut statement in statements_of(&parsed) {
            if let Some(members) = statement.as_object_mut() {
                members.remove("Sid");
            }
            if !variables {
                write_out(&mut statement);
            }
            statements.push(statement);
        }
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn statements_of(document: &Json) -> Vec<Json> {
    match &document["Statement"] {
        Json::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    }
}

fn write_out(value: &mut Json) {
    match value {
        Json::String(text) => *text = text.replace("${", "${$}{"),
        Json::Array(items) => items.iter_mut().for_each(write_out),
        Json::Object(members) => members.values_mut().for_each(write_out),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Refuses what is no policy, with the place of the fault.
fn check(document: &str) -> Result<()> {
    let invalid = |reason: String| Error::invalid(format!("The policy document is not valid: {reason}"));
    let policy =
        roadstead_policy::parse(document, Kind::Resource).map_err(|fault| invalid(fault.to_string()))?;
    let parsed: Json = serde_json::from_str(document).map_err(|error| invalid(error.to_string()))?;
    for (statement, text) in policy.statements.iter().zip(statements_of(&parsed)) {
        if text.get("Resource").or(text.get("NotResource")).is_none() {
            let Position { line, column } = statement.start;
            return Err(invalid(format!(
                "Policy statement must contain resources. (line {line}, column {column})"
            )));
        }
    }
    Ok(())
}

/// The group that `resourceArn` names.
fn group_of(ctx: &Ctx, arn: &str) -> Result<String> {
    match arn.starts_with("arn:") {
        true => from_identifier(ctx, arn),
        false => Err(Error::invalid(format!("{arn} is not the ARN of a log group."))),
    }
}

/// The name that policies of an account go by.
fn named(name: Option<String>) -> Result<String> {
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| Error::invalid("policyName is required for a policy of the account."))
}

/// Revisions are of policies of groups alone.
fn no_revision(given: Option<&String>) -> Result<()> {
    match given {
        Some(_) => Err(Error::invalid(
            "expectedRevisionId goes with resourceArn: a policy of the account has no revisions.",
        )),
        None => Ok(()),
    }
}

fn show(name: &str, record: &PolicyRecord) -> ResourcePolicy {
    let PolicyRecord { document, updated_at } = record;
    ResourcePolicy {
        last_updated_time: Some(updated_at.0),
        policy_document: Some(document.clone()),
        policy_name: Some(name.to_owned()),
        policy_scope: Some(PolicyScope::Account),
        resource_arn: None,
        revision_id: None,
    }
}

fn show_of_group(partition: &Partition, group: &str, record: &GroupPolicyRecord) -> ResourcePolicy {
    let GroupPolicyRecord {
        name,
        policy,
        revision,
    } = record;
    ResourcePolicy {
        last_updated_time: Some(policy.updated_at.0),
        policy_document: Some(policy.document.clone()),
        policy_name: name.clone(),
        policy_scope: Some(PolicyScope::Resource),
        resource_arn: Some(group_arn(partition, group)),
        revision_id: Some(revision.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_joined_without_changing_what_they_say() {
        let old = r#"{"Statement": {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "logs:*",
            "Resource": "arn:aws:logs:*:*:log-group:${aws:userid}:*"}}"#;
        let new = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": "*",
            "Action": "logs:*", "Resource": "arn:aws:logs:*:*:log-group:${aws:userid}:*"}]}"#;
        let joined = joined(&[old, new]);
        let policy = roadstead_policy::parse(&joined, Kind::Resource).expect("a policy");
        assert_eq!(policy.statements.len(), 2);
        let json: Json = serde_json::from_str(&joined).expect("JSON");
        let resource = |index: usize| json["Statement"][index]["Resource"].clone();
        assert_eq!(resource(0), "arn:aws:logs:*:*:log-group:${$}{aws:userid}:*");
        assert_eq!(resource(1), "arn:aws:logs:*:*:log-group:${aws:userid}:*");
    }

    #[test]
    fn what_is_no_policy_is_told_with_its_place() {
        for (document, words) in [
            ("{", "line 1, column"),
            ("{}", "must contain a Statement. (line 1, column 1)"),
            (
                "{\"Statement\": [\n  {\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"logs:*\"}]}",
                "must contain resources. (line 2, column 3)",
            ),
            (
                r#"{"Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}}"#,
                "Missing required field Principal. (line 1, column 15)",
            ),
        ] {
            let error = check(document).expect_err(document).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
