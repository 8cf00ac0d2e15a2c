//! AddPermission and RemovePermission: statements of the queue's policy, by their labels.

use roadstead_api_sqs::{AddPermissionRequest, RemovePermissionRequest};
use roadstead_base::{Ctx, Partition};
use serde_json::{Value as Json, json};

use crate::Sqs;
use crate::error::{Error, Result};
use crate::names;
use crate::records::QueueRecord;

const MAX_STATEMENTS: usize = 20;
const MAX_ACTIONS: usize = 7;
/// What can be allowed so, with what is allowed by it.
const ACTIONS: &[&str] = &[
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

pub(crate) async fn add_permission(sqs: &Sqs, ctx: &Ctx, input: AddPermissionRequest) -> Result<()> {
    let AddPermissionRequest {
        aws_account_ids,
        actions,
        label,
        queue_url,
    } = input;
    if !names::is_label(&label) {
        return Err(Error::value(
            "Label",
            &label,
            "It has letters, digits, hyphens and underscores, at most 80.",
        ));
    }
    if aws_account_ids.is_empty() {
        return Err(Error::Missing("AWSAccountIds".into()));
    }
    if let Some(wrong) = aws_account_ids
        .iter()
        .find(|id| id.parse::<roadstead_base::AccountId>().is_err())
    {
        return Err(Error::value("PrincipalId", wrong, "Unable to verify."));
    }
    if actions.is_empty() {
        return Err(Error::Missing("Actions".into()));
    }
    if actions.len() > MAX_ACTIONS {
        return Err(Error::OverLimit(format!(
            "{} Actions were found, maximum allowed is {MAX_ACTIONS}.",
            actions.len()
        )));
    }
    if let Some(wrong) = actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(Error::value(
            "ActionName",
            wrong,
            "Please refer to the appropriate WSDL for a list of valid actions.",
        ));
    }
    let partition = ctx.partition();
    sqs.change(ctx, &queue_url, |queue| {
        let mut policy = policy_of(queue, &partition)?;
        let statements = statements(&mut policy)?;
        if statements
            .iter()
            .any(|statement| statement["Sid"] == label.as_str())
        {
            return Err(Error::value("Label", &label, "Already exists."));
        }
        if statements.len() >= MAX_STATEMENTS {
            return Err(Error::OverLimit(format!(
                "The policy of the queue has {MAX_STATEMENTS} statements, which is as many as it can have."
            )));
        }
        let principals: Vec<String> = aws_account_ids
            .iter()
            .map(|id| format!("arn:aws:iam::{id}:root"))
            .collect();
        let actions: Vec<String> = actions.iter().map(|action| format!("SQS:{action}")).collect();
        statements.push(json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals},
            "Action": actions,
            "Resource": names::arn(&partition, &queue.name),
        }));
        queue.settings.policy = Some(policy.to_string());
        queue.modified_at = sqs.clock.now();
        Ok(())
    })
    .await
}

pub(crate) async fn remove_permission(sqs: &Sqs, ctx: &Ctx, input: RemovePermissionRequest) -> Result<()> {
    let RemovePermissionRequest { label, queue_url } = input;
    let partition = ctx.partition();
    sqs.change(ctx, &queue_url, |queue| {
        let mut policy = policy_of(queue, &partition)?;
        let statements = statements(&mut policy)?;
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != label.as_str());
        if statements.len() == before {
            return Err(Error::value(
                "Label",
                &label,
                "can't find label on existing policy.",
            ));
        }
        let empty = statements.is_empty();
        queue.settings.policy = (!empty).then(|| policy.to_string());
        queue.modified_at = sqs.clock.now();
        Ok(())
    })
    .await
}

fn policy_of(queue: &QueueRecord, partition: &Partition) -> Result<Json> {
    match &queue.settings.policy {
        Some(policy) => serde_json::from_str(policy).map_err(|error| Error::Broken(error.to_string())),
        None => Ok(json!({
            "Version": "2012-10-17",
            "Id": format!("{}/SQSDefaultPolicy", names::arn(partition, &queue.name)),
            "Statement": [],
        })),
    }
}

/// As a list, which a single one need not be.
fn statements(policy: &mut Json) -> Result<&mut Vec<Json>> {
    let broken = || Error::Broken("the policy of a queue has no statements".into());
    let statement = policy.get_mut("Statement").ok_or_else(broken)?;
    if statement.is_object() {
        *statement = json!([statement.take()]);
    }
    statement.as_array_mut().ok_or_else(broken)
}
