//! What the operations mean to policies, by the Service Authorization Reference's page for SQS.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::{BoxFuture, Value};

use crate::Sqs;
use crate::names;
use crate::ops::move_tasks::read_handle;

/// Tells the gate of queues, their policies and tags.
pub struct SqsPermissions(Weak<Sqs>);

impl SqsPermissions {
    pub fn of(sqs: &Arc<Sqs>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(sqs)))
    }
}

/// The ARN of the queue that a URL names.
fn queue(asking: &Asking<'_>) -> String {
    let url = asking.text("QueueUrl").unwrap_or("*");
    let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or("*");
    names::arn(&asking.ctx.partition(), name)
}

/// Batches go by the name of what they are batches of.
fn on_queue(asking: &Asking<'_>) -> Vec<Need> {
    let action = asking.operation.strip_suffix("Batch").unwrap_or(asking.operation);
    vec![Need::new(format!("sqs:{action}")).on([queue(asking)])]
}

fn on_named(asking: &Asking<'_>) -> Vec<Need> {
    let name = asking.text("QueueName").unwrap_or("*");
    vec![Need::new(format!("sqs:{}", asking.operation)).on([names::arn(&asking.ctx.partition(), name)])]
}

/// Tags are a map here, not a list.
fn tags(asking: &Asking<'_>, member: &str) -> Vec<(String, String)> {
    let Some(Value::Map(fields)) = asking.input.get(member) else {
        return Vec::new();
    };
    let pair = |(key, value): &(std::borrow::Cow<'static, str>, Value)| match value {
        Value::Str(text) => Some((key.to_string(), text.clone())),
        _ => None,
    };
    fields.iter().filter_map(pair).collect()
}

fn create(asking: &Asking<'_>) -> Vec<Need> {
    let arn = names::arn(&asking.ctx.partition(), asking.text("QueueName").unwrap_or("*"));
    let tags = tags(asking, "tags");
    let mut needs = vec![Need::new("sqs:CreateQueue").on([arn.clone()]).tagging(&tags)];
    if !tags.is_empty() {
        needs.push(Need::new("sqs:TagQueue").on([arn]).tagging(&tags));
    }
    needs
}

fn tag(asking: &Asking<'_>) -> Vec<Need> {
    let need = Need::new(format!("sqs:{}", asking.operation)).on([queue(asking)]);
    vec![
        need.tagging(&tags(asking, "Tags"))
            .untagging(&asking.texts("TagKeys")),
    ]
}

fn start_move(asking: &Asking<'_>) -> Vec<Need> {
    let source = asking.text("SourceArn").unwrap_or("*").to_owned();
    let mut needs: Vec<Need> = [
        "sqs:StartMessageMoveTask",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    ]
    .into_iter()
    .map(|action| Need::new(action).on([source.clone()]))
    .collect();
    let destination = asking.text("DestinationArn").map(str::to_owned);
    // Where messages go back to is known only to each of them.
    let send = Need::new("sqs:SendMessage");
    needs.push(send.on([destination.unwrap_or_else(|| names::arn(&asking.ctx.partition(), "*"))]));
    needs
}

fn list_moves(asking: &Asking<'_>) -> Vec<Need> {
    let source = asking.text("SourceArn").unwrap_or("*").to_owned();
    vec![Need::new("sqs:ListMessageMoveTasks").on([source])]
}

fn cancel_move(asking: &Asking<'_>) -> Vec<Need> {
    let source = asking.text("TaskHandle").and_then(read_handle);
    let source = source.map_or_else(|| "*".to_owned(), |(_, source)| source);
    vec![Need::new("sqs:CancelMessageMoveTask").on([source])]
}

impl Permissions for SqsPermissions {
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 22] = [
            of("AddPermission", on_queue),
            of("CancelMessageMoveTask", cancel_move),
            of("ChangeMessageVisibility", on_queue),
            of("ChangeMessageVisibilityBatch", on_queue),
            of("CreateQueue", create),
            of("DeleteMessage", on_queue),
            of("DeleteMessageBatch", on_queue),
            of("DeleteQueue", on_queue),
            of("GetQueueAttributes", on_queue),
            of("GetQueueUrl", on_named),
            of("ListDeadLetterSourceQueues", on_queue),
            of("ListMessageMoveTasks", list_moves),
            of("ListQueueTags", on_queue),
            of("PurgeQueue", on_queue),
            of("ReceiveMessage", on_queue),
            of("RemovePermission", on_queue),
            of("SendMessage", on_queue),
            of("SendMessageBatch", on_queue),
            of("SetQueueAttributes", on_queue),
            of("StartMessageMoveTask", start_move),
            of("TagQueue", tag),
            of("UntagQueue", tag),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let found = self.found(ctx, arn);
            let tags = found.map(|queue| queue.value.tags.clone()).unwrap_or_default();
            tags.into_iter().collect()
        })
    }

    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move { self.found(ctx, arn)?.value.settings.policy.clone() })
    }
}

impl SqsPermissions {
    fn found(
        &self,
        ctx: &Ctx,
        arn: &str,
    ) -> Option<Arc<roadstead_store::Entry<crate::records::QueueRecord>>> {
        let name = names::of_arn(&ctx.partition(), arn)?;
        self.0.upgrade()?.named(ctx, &name)
    }
}
