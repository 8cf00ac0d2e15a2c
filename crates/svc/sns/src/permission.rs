//! AddPermission and RemovePermission: statements of the topic's policy, by their labels; and the policy that topics
//! have before they are given one.

use roadstead_api_sns::{AddPermissionInput, RemovePermissionInput};
use roadstead_base::{AccountId, Ctx};
use serde_json::{Value as Json, json};

use crate::Sns;
use crate::error::{Error, Result};
use crate::names;
use crate::records::TopicRecord;

/// What can be allowed so.
const ACTIONS: &[&str] = &[
    "AddPermission",
    "DeleteTopic",
    "GetDataProtectionPolicy",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "Publish",
    "PutDataProtectionPolicy",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
    "TagResource",
    "UntagResource",
];

/// What holds while a topic has no policy of its own, as the public cloud shows it: whoever acts for the topic's owner
/// may. By the owner alarms alone are named (`aws:SourceOwner`), so that they publish, and other services do not.
pub(crate) fn unset(account: &AccountId, topic_arn: &str) -> Json {
    json!({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [{
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [
            "SNS:GetTopicAttributes",
            "SNS:SetTopicAttributes",
            "SNS:AddPermission",
            "SNS:RemovePermission",
            "SNS:DeleteTopic",
            "SNS:Subscribe",
            "SNS:ListSubscriptionsByTopic",
            "SNS:Publish",
        ],
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account.to_string()}},
    }]})
}

pub(crate) async fn add_permission(sns: &Sns, ctx: &Ctx, input: AddPermissionInput) -> Result<()> {
    let AddPermissionInput {
        topic_arn,
        label,
        aws_account_id,
        action_name,
    } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    if label.is_empty() {
        return Err(Error::invalid("Label"));
    }
    if aws_account_id.is_empty() || aws_account_id.iter().any(|id| id.parse::<AccountId>().is_err()) {
        return Err(Error::invalid("AWSAccountId"));
    }
    if action_name.is_empty() {
        return Err(Error::invalid("ActionName"));
    }
    if action_name
        .iter()
        .any(|action| !ACTIONS.contains(&action.as_str()))
    {
        return Err(Error::invalid("Policy statement action out of service scope!"));
    }
    let principals = aws_account_id.iter().map(|id| format!("arn:aws:iam::{id}:root"));
    let actions = action_name.iter().map(|action| format!("SNS:{action}"));
    let statement = json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_all(principals)},
        "Action": one_or_all(actions),
        "Resource": topic_arn,
    });
    sns.change_topic(ctx, &topic, |record| {
        change(record, ctx, &topic_arn, |statements| {
            if statements.iter().any(|other| other["Sid"] == label.as_str()) {
                return Err(Error::invalid("Statement already exists"));
            }
            statements.push(statement.clone());
            Ok(())
        })
    })
    .await
}

/// A label that is not there is answered as if it were taken away now.
pub(crate) async fn remove_permission(sns: &Sns, ctx: &Ctx, input: RemovePermissionInput) -> Result<()> {
    let RemovePermissionInput { topic_arn, label } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    sns.change_topic(ctx, &topic, |record| {
        change(record, ctx, &topic_arn, |statements| {
            statements.retain(|statement| statement["Sid"] != label.as_str());
            Ok(())
        })
    })
    .await
}

fn one_or_all(texts: impl ExactSizeIterator<Item = String>) -> Json {
    let mut all: Vec<Json> = texts.map(Json::String).collect();
    match all.len() {
        1 => all.remove(0),
        _ => Json::Array(all),
    }
}

/// Changes the statements of a topic's policy.
fn change(
    topic: &mut TopicRecord,
    ctx: &Ctx,
    topic_arn: &str,
    change: impl FnOnce(&mut Vec<Json>) -> Result<()>,
) -> Result<()> {
    let broken = || Error::Store("the policy of a topic has no statements".to_owned());
    let mut policy: Json = match &topic.policy {
        Some(policy) => serde_json::from_str(policy).map_err(|_| broken())?,
        None => unset(&ctx.account, topic_arn),
    };
    let statement = policy.get_mut("Statement").ok_or_else(broken)?;
    if statement.is_object() {
        // A single one need not be in a list.
        *statement = json!([statement.take()]);
    }
    let statements = statement.as_array_mut().ok_or_else(broken)?;
    let before = statements.clone();
    change(statements)?;
    if *statements != before {
        topic.policy = Some(policy.to_string());
    }
    Ok(())
}
