//! What the operations mean to policies, by the Service Authorization Reference's page for Step Functions.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::BoxFuture;

use crate::{PRINCIPAL, States, names};

/// Tells the gate of state machines and their tags.
pub struct StatesPermissions(Weak<States>);

impl StatesPermissions {
    pub fn of(states: &Arc<States>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(states)))
    }
}

fn on(asking: &Asking<'_>, member: &str) -> Need {
    let arn = asking.text(member).unwrap_or("*");
    Need::new(format!("states:{}", asking.operation)).on([arn.to_owned()])
}

fn on_machine(asking: &Asking<'_>) -> Vec<Need> {
    vec![on(asking, "stateMachineArn")]
}

fn on_execution(asking: &Asking<'_>) -> Vec<Need> {
    vec![on(asking, "executionArn")]
}

fn on_resource(asking: &Asking<'_>) -> Vec<Need> {
    let need = on(asking, "resourceArn");
    vec![
        need.tagging(&asking.tags("tags"))
            .untagging(&asking.texts("tagKeys")),
    ]
}

fn create(asking: &Asking<'_>) -> Vec<Need> {
    let arn = names::machine_arn(&asking.ctx.partition(), asking.text("name").unwrap_or("*"));
    let tags = asking.tags("tags");
    let mut needs = vec![
        Need::new("states:CreateStateMachine")
            .on([arn.clone()])
            .tagging(&tags),
    ];
    if !tags.is_empty() {
        needs.push(Need::new("states:TagResource").on([arn]).tagging(&tags));
    }
    needs.extend(passes(asking));
    needs
}

fn update(asking: &Asking<'_>) -> Vec<Need> {
    let mut needs = on_machine(asking);
    needs.extend(passes(asking));
    needs
}

fn passes(asking: &Asking<'_>) -> Option<Need> {
    asking
        .text("roleArn")
        .map(|role| Need::pass_role(role, PRINCIPAL))
}

impl Permissions for StatesPermissions {
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 13] = [
            of("CreateStateMachine", create),
            of("DeleteStateMachine", on_machine),
            of("DescribeExecution", on_execution),
            of("DescribeStateMachine", on_machine),
            of("GetExecutionHistory", on_execution),
            of("ListExecutions", on_machine),
            of("ListTagsForResource", on_resource),
            of("StartExecution", on_machine),
            of("StartSyncExecution", on_machine),
            of("StopExecution", on_execution),
            of("TagResource", on_resource),
            of("UntagResource", on_resource),
            of("UpdateStateMachine", update),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let found = names::machine(ctx, arn)
                .ok()
                .and_then(|name| self.0.upgrade()?.machine(ctx, &name).ok());
            found.map(|machine| machine.tags.pairs()).unwrap_or_default()
        })
    }
}
