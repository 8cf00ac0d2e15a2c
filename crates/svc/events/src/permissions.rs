//! What the operations mean to policies, by the Service Authorization Reference's page for EventBridge.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::{BoxFuture, Value};

use crate::names::{self, Named, resource};
use crate::{Events, PRINCIPAL};

/// Tells the gate of rules, buses and their tags.
pub struct EventsPermissions(Weak<Events>);

impl EventsPermissions {
    pub fn of(events: &Arc<Events>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(events)))
    }
}

/// The ARN of the rule that `member` names.
fn rule(asking: &Asking<'_>, member: &str) -> String {
    let bus = names::bus(asking.ctx, asking.text("EventBusName")).unwrap_or_else(|_| "*".into());
    names::rule_arn(&asking.ctx.partition(), &bus, asking.text(member).unwrap_or("*"))
}

fn bus(asking: &Asking<'_>, member: &str) -> String {
    let given = asking.text(member).unwrap_or(names::DEFAULT_BUS);
    if given.starts_with("arn:") {
        return given.to_owned();
    }
    names::bus_arn(&asking.ctx.partition(), given)
}

fn on_rule(asking: &Asking<'_>) -> Vec<Need> {
    vec![Need::new(format!("events:{}", asking.operation)).on([rule(asking, "Name")])]
}

fn on_targets_of_rule(asking: &Asking<'_>) -> Vec<Need> {
    vec![Need::new(format!("events:{}", asking.operation)).on([rule(asking, "Rule")])]
}

fn on_bus(asking: &Asking<'_>) -> Vec<Need> {
    vec![Need::new(format!("events:{}", asking.operation)).on([bus(asking, "Name")])]
}

fn on_resource(asking: &Asking<'_>) -> Vec<Need> {
    let arn = asking.text("ResourceARN").unwrap_or("*").to_owned();
    let need = Need::new(format!("events:{}", asking.operation)).on([arn]);
    vec![
        need.tagging(&asking.tags("Tags"))
            .untagging(&asking.texts("TagKeys")),
    ]
}

fn put_rule(asking: &Asking<'_>) -> Vec<Need> {
    let arn = rule(asking, "Name");
    let tags = asking.tags("Tags");
    let mut needs = vec![Need::new("events:PutRule").on([arn.clone()]).tagging(&tags)];
    if !tags.is_empty() {
        needs.push(Need::new("events:TagResource").on([arn]).tagging(&tags));
    }
    needs.extend(
        asking
            .text("RoleArn")
            .map(|role| Need::pass_role(role, PRINCIPAL)),
    );
    needs
}

fn put_targets(asking: &Asking<'_>) -> Vec<Need> {
    let mut need = Need::new("events:PutTargets").on([rule(asking, "Rule")]);
    let mut roles = Vec::new();
    if let Some(Value::List(targets)) = asking.input.get("Targets") {
        for target in targets {
            if let Some(Value::Str(arn)) = target.get("Arn") {
                need = need.with("events:TargetArn", arn.clone());
            }
            if let Some(Value::Str(role)) = target.get("RoleArn") {
                roles.push(Need::pass_role(role.clone(), PRINCIPAL));
            }
        }
    }
    roles.insert(0, need);
    roles
}

fn put_events(asking: &Asking<'_>) -> Vec<Need> {
    let Some(Value::List(entries)) = asking.input.get("Entries") else {
        return vec![Need::new("events:PutEvents")];
    };
    let text = |entry: &Value, member: &str| match entry.get(member) {
        Some(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    let each = entries.iter().map(|entry| {
        let given = text(entry, "EventBusName").unwrap_or_else(|| names::DEFAULT_BUS.into());
        let arn = if given.starts_with("arn:") {
            given
        } else {
            names::bus_arn(&asking.ctx.partition(), &given)
        };
        Need::new("events:PutEvents")
            .on([arn])
            .with_some("events:source", text(entry, "Source"))
            .with_some("events:detail-type", text(entry, "DetailType"))
    });
    each.collect()
}

fn create_bus(asking: &Asking<'_>) -> Vec<Need> {
    vec![
        Need::new("events:CreateEventBus")
            .on([bus(asking, "Name")])
            .tagging(&asking.tags("Tags")),
    ]
}

impl Permissions for EventsPermissions {
    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 16] = [
            of("PutRule", put_rule),
            of("DeleteRule", on_rule),
            of("DescribeRule", on_rule),
            of("EnableRule", on_rule),
            of("DisableRule", on_rule),
            of("PutTargets", put_targets),
            of("RemoveTargets", on_targets_of_rule),
            of("ListTargetsByRule", on_targets_of_rule),
            of("PutEvents", put_events),
            of("CreateEventBus", create_bus),
            of("DeleteEventBus", on_bus),
            of("DescribeEventBus", on_bus),
            of("UpdateEventBus", on_bus),
            of("TagResource", on_resource),
            of("UntagResource", on_resource),
            of("ListTagsForResource", on_resource),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let (Some(events), Ok(named)) = (self.0.upgrade(), resource(ctx, arn)) else {
                return Vec::new();
            };
            let tags = match named {
                Named::Bus(bus) => events.bus(ctx, &bus).await.map(|bus| bus.tags),
                Named::Rule { bus, rule } => events.rule(ctx, &bus, &rule).await.map(|rule| rule.value.tags),
            };
            // What is not there has no tags; the operation says that it is not there.
            tags.map(|tags| tags.pairs()).unwrap_or_default()
        })
    }

    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move { self.0.upgrade()?.policy_of(ctx, arn) })
    }
}
