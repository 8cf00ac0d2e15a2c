//! What the operations mean to policies, by the Service Authorization Reference's page for CloudWatch Logs.
//!
//! As the service itself names resources in its denials: a group is `…:log-group:NAME:log-stream:` with what would be
//! the stream's name left empty, which is why policies end in `:*`.

use std::sync::{Arc, Weak};

use roadstead_base::{Caller, Ctx};
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::{BoxFuture, Value};

use crate::Logs;
use crate::names::{from_identifier, group_arn, stream_arn};

/// Tells the gate of groups and their tags.
pub struct LogsPermissions(Weak<Logs>);

impl LogsPermissions {
    pub fn of(logs: &Arc<Logs>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(logs)))
    }
}

fn group(asking: &Asking<'_>) -> String {
    let given = asking
        .text("logGroupName")
        .or_else(|| asking.text("logGroupIdentifier"));
    from_identifier(asking.ctx, given.unwrap_or_default()).unwrap_or_default()
}

fn on_group(asking: &Asking<'_>) -> Vec<Need> {
    let arn = stream_arn(&asking.ctx.partition(), &group(asking), "");
    vec![Need::new(format!("logs:{}", asking.operation)).on([arn])]
}

fn on_stream(asking: &Asking<'_>) -> Vec<Need> {
    let stream = asking.text("logStreamName").unwrap_or_default();
    let arn = stream_arn(&asking.ctx.partition(), &group(asking), stream);
    vec![Need::new(format!("logs:{}", asking.operation)).on([arn])]
}

/// On each group of a query.
fn on_groups(asking: &Asking<'_>) -> Vec<Need> {
    let named = asking.text("logGroupName").into_iter();
    let lists = ["logGroupNames", "logGroupIdentifiers"];
    let listed = lists.iter().flat_map(|member| asking.texts(member));
    let partition = asking.ctx.partition();
    let arn = |name: &str| {
        let name = from_identifier(asking.ctx, name).unwrap_or_default();
        stream_arn(&partition, &name, "")
    };
    let arns: Vec<String> = named.chain(listed).map(arn).collect();
    vec![Need::new(format!("logs:{}", asking.operation)).on(arns)]
}

/// `logs:PutSubscriptionFilter`, and that the role may be passed, if there is one.
fn subscribe(asking: &Asking<'_>) -> Vec<Need> {
    let mut needs = on_group(asking);
    let role = asking.text("roleArn");
    needs.extend(role.map(|role| Need::pass_role(role, crate::PRINCIPAL)));
    needs
}

/// `logs:CreateLogGroup`, and `logs:TagResource` if it is made with tags.
fn create_group(asking: &Asking<'_>) -> Vec<Need> {
    let mut needs = on_group(asking);
    let tags = map(asking.input.get("tags"));
    if !tags.is_empty() {
        let arn = stream_arn(&asking.ctx.partition(), &group(asking), "");
        needs.push(Need::new("logs:TagResource").on([arn]).tagging(&tags));
    }
    needs
}

fn on_resource(asking: &Asking<'_>) -> Vec<Need> {
    let arn = asking.text("resourceArn").unwrap_or("*").to_owned();
    let need = Need::new(format!("logs:{}", asking.operation)).on([arn]);
    vec![
        need.tagging(&map(asking.input.get("tags")))
            .untagging(&asking.texts("tagKeys")),
    ]
}

/// On the group that the policy is of; those of the account are of nothing.
fn on_policy(asking: &Asking<'_>) -> Vec<Need> {
    let need = Need::new(format!("logs:{}", asking.operation));
    let Some(arn) = asking.text("resourceArn") else {
        return vec![need];
    };
    let group = from_identifier(asking.ctx, arn).unwrap_or_default();
    vec![need.on([stream_arn(&asking.ctx.partition(), &group, "")])]
}

fn map(value: Option<&Value>) -> Vec<(String, String)> {
    let Some(Value::Map(fields)) = value else {
        return Vec::new();
    };
    let text = |value: &Value| match value {
        Value::Str(text) => text.clone(),
        _ => String::new(),
    };
    fields
        .iter()
        .map(|(key, value)| (key.to_string(), text(value)))
        .collect()
}

/// The group in the ARN of a group or a stream of the caller's account and region.
fn group_in<'a>(ctx: &Ctx, arn: &'a str) -> Option<&'a str> {
    let rest = arn.strip_prefix(&group_arn(&ctx.partition(), ""))?;
    Some(rest.split_once(":log-stream:").map_or(rest, |(name, _)| name))
}

impl Permissions for LogsPermissions {
    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 28] = [
            of("CreateLogGroup", create_group),
            of("DeleteLogGroup", on_group),
            of("DescribeLogGroups", on_group),
            of("DescribeLogStreams", on_group),
            of("PutRetentionPolicy", on_group),
            of("DeleteRetentionPolicy", on_group),
            of("FilterLogEvents", on_group),
            of("PutMetricFilter", on_group),
            of("DeleteMetricFilter", on_group),
            of("DescribeMetricFilters", on_group),
            of("PutSubscriptionFilter", subscribe),
            of("DeleteSubscriptionFilter", on_group),
            of("DescribeSubscriptionFilters", on_group),
            of("TagLogGroup", on_group),
            of("UntagLogGroup", on_group),
            of("ListTagsLogGroup", on_group),
            of("CreateLogStream", on_stream),
            of("DeleteLogStream", on_stream),
            of("PutLogEvents", on_stream),
            of("GetLogEvents", on_stream),
            of("StartQuery", on_groups),
            of("StartLiveTail", on_groups),
            of("GetLogGroupFields", on_group),
            of("PutLogGroupDeletionProtection", on_group),
            of("TagResource", on_resource),
            of("UntagResource", on_resource),
            of("PutResourcePolicy", on_policy),
            of("DeleteResourcePolicy", on_policy),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let Some(logs) = self.0.upgrade() else {
                return Vec::new();
            };
            let Some(name) = group_in(ctx, arn) else {
                return Vec::new();
            };
            // What is not there has no tags; the operation says that it is not there.
            let tags = logs.group(ctx, name).await.map(|group| group.tags);
            tags.map(|tags| tags.into_iter().collect()).unwrap_or_default()
        })
    }

    /// They decide about services alone, as documented: users and roles go by their own policies.
    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let (Caller::Service(_), Some(group)) = (&ctx.caller, group_in(ctx, arn)) else {
                return None;
            };
            let logs = self.0.upgrade()?;
            let policy = logs.policy_for_services(&ctx.partition(), group)?;
            Some(policy.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use roadstead_protocol::json as codec;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::harness::{Bench, ctx};

    #[tokio::test]
    async fn subscriptions_are_about_a_group_and_a_role_that_is_passed() {
        let bench = Bench::new().await;
        let permissions = LogsPermissions::of(&bench.logs);
        let (ctx, model) = (ctx(), &roadstead_api_logs::MODEL);
        let needs = |operation: &str, input: Json| {
            let operation = model.operation(operation).expect("an operation");
            let input = codec::decode(model, operation.input, input.to_string().as_bytes()).expect("fits");
            let rule = permissions
                .rules()
                .iter()
                .find(|rule| rule.operation == operation.name);
            (rule.expect("a rule").needs)(&Asking {
                ctx: &ctx,
                operation: operation.name,
                input: &input,
            })
        };
        let group = "arn:aws:logs:us-east-1:000000000000:log-group:/a:log-stream:".to_owned();
        for operation in [
            "PutSubscriptionFilter",
            "DescribeSubscriptionFilters",
            "DeleteSubscriptionFilter",
        ] {
            let wanted = Need::new(format!("logs:{operation}")).on([group.clone()]);
            assert_eq!(needs(operation, json!({"logGroupName": "/a"})), [wanted]);
        }
        let role = "arn:aws:iam::000000000000:role/r";
        let asked = needs(
            "PutSubscriptionFilter",
            json!({"logGroupName": "/a", "roleArn": role}),
        );
        assert_eq!(asked[1], Need::pass_role(role, "logs.amazonaws.com"));
    }
}
