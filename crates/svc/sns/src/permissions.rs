//! What the operations mean to policies, by the Service Authorization Reference's page for SNS.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::BoxFuture;

use crate::Sns;
use crate::names;
use crate::permission::unset;

/// Tells the gate of topics, their policies and tags.
pub struct SnsPermissions(Weak<Sns>);

impl SnsPermissions {
    pub fn of(sns: &Arc<Sns>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(sns)))
    }

    fn found(&self, ctx: &Ctx, arn: &str) -> Option<crate::records::TopicRecord> {
        let topic = names::topic(ctx, "TopicArn", arn).ok()?;
        self.0.upgrade()?.topic(ctx, &topic).ok()
    }
}

fn need(asking: &Asking<'_>, arn: &str) -> Need {
    // Batches go by the name of what they are batches of.
    let action = asking.operation.strip_suffix("Batch").unwrap_or(asking.operation);
    Need::new(format!("sns:{action}")).on([arn.to_owned()])
}

fn on_topic(asking: &Asking<'_>) -> Vec<Need> {
    let arn = asking.text("TopicArn").or_else(|| asking.text("TargetArn"));
    vec![
        need(asking, arn.unwrap_or("*"))
            .with_some("sns:Endpoint", asking.text("Endpoint"))
            .with_some("sns:Protocol", asking.text("Protocol")),
    ]
}

/// On the topic that the subscription is of.
fn on_subscription(asking: &Asking<'_>) -> Vec<Need> {
    let arn = asking.text("SubscriptionArn").unwrap_or("*");
    let topic = arn.rsplit_once(':').map_or(arn, |(topic, _)| topic);
    vec![need(asking, topic)]
}

fn on_resource(asking: &Asking<'_>) -> Vec<Need> {
    let need = need(asking, asking.text("ResourceArn").unwrap_or("*"));
    vec![
        need.tagging(&asking.tags("Tags"))
            .untagging(&asking.texts("TagKeys")),
    ]
}

fn create(asking: &Asking<'_>) -> Vec<Need> {
    let arn = names::topic_arn(&asking.ctx.partition(), asking.text("Name").unwrap_or("*"));
    let tags = asking.tags("Tags");
    let mut needs = vec![Need::new("sns:CreateTopic").on([arn.clone()]).tagging(&tags)];
    if !tags.is_empty() {
        needs.push(Need::new("sns:TagResource").on([arn]).tagging(&tags));
    }
    needs
}

impl Permissions for SnsPermissions {
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 16] = [
            of("AddPermission", on_topic),
            of("CreateTopic", create),
            of("DeleteTopic", on_topic),
            of("GetSubscriptionAttributes", on_subscription),
            of("GetTopicAttributes", on_topic),
            of("ListSubscriptionsByTopic", on_topic),
            of("ListTagsForResource", on_resource),
            of("Publish", on_topic),
            of("PublishBatch", on_topic),
            of("RemovePermission", on_topic),
            of("SetSubscriptionAttributes", on_subscription),
            of("SetTopicAttributes", on_topic),
            of("Subscribe", on_topic),
            of("TagResource", on_resource),
            of("Unsubscribe", on_subscription),
            of("UntagResource", on_resource),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let tags = self.found(ctx, arn).map(|topic| topic.tags).unwrap_or_default();
            tags.into_iter().collect()
        })
    }

    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            // One that is not there has none either: who may is told that it is not there.
            let policy = self.found(ctx, arn).and_then(|topic| topic.policy);
            policy.or_else(|| Some(unset(&ctx.account, arn).to_string()))
        })
    }
}
