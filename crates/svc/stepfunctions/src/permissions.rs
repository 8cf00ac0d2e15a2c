//! What the operations mean to policies, by the Service Authorization Reference's page for Step Functions.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule, text};
use roadstead_protocol::{BoxFuture, Value};

use crate::names::Tagged;
use crate::{PRINCIPAL, States, names};

/// Tells the gate of state machines and activities, and their tags.
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

/// A version or an alias is authorized by the machine's own ARN; `states:StateMachineQualifier` says which it is
/// ("Authorization for versions and aliases").
fn qualified(action: String, arns: &[&str]) -> Need {
    let (mut need, mut machines) = (Need::new(action), Vec::new());
    for arn in arns {
        let mut fields = arn.splitn(8, ':');
        let machine: Vec<&str> = fields.by_ref().take(7).collect();
        let machine = machine.join(":");
        if !machines.contains(&machine) {
            machines.push(machine);
        }
        if let Some(qualifier) = fields.next() {
            need = need.with("states:StateMachineQualifier", qualifier);
        }
    }
    need.on(machines)
}

fn of_machine(asking: &Asking<'_>, member: &str) -> Vec<Need> {
    let arn = asking.text(member).unwrap_or("*");
    vec![qualified(format!("states:{}", asking.operation), &[arn])]
}

fn on_machine(asking: &Asking<'_>) -> Vec<Need> {
    of_machine(asking, "stateMachineArn")
}

fn on_version(asking: &Asking<'_>) -> Vec<Need> {
    of_machine(asking, "stateMachineVersionArn")
}

fn on_alias(asking: &Asking<'_>) -> Vec<Need> {
    of_machine(asking, "stateMachineAliasArn")
}

/// The machine whose versions the alias stands for, and the alias's own name.
fn create_alias(asking: &Asking<'_>) -> Vec<Need> {
    let Some(Value::List(routes)) = asking.input.get("routingConfiguration") else {
        return vec![Need::new("states:CreateStateMachineAlias")];
    };
    let versions = routes
        .iter()
        .filter_map(|route| text(route, "stateMachineVersionArn"));
    let mut need = qualified(
        "states:CreateStateMachineAlias".to_owned(),
        &versions.collect::<Vec<_>>(),
    );
    need = need.with_some("states:StateMachineQualifier", asking.text("name"));
    vec![need]
}

/// To publish along with making or updating a machine is a permission of its own.
fn publishes(asking: &Asking<'_>, arn: &str) -> Option<Need> {
    let publish = asking.input.get("publish") == Some(&Value::Bool(true));
    publish.then(|| Need::new("states:PublishStateMachineVersion").on([arn.to_owned()]))
}

fn on_execution(asking: &Asking<'_>) -> Vec<Need> {
    vec![on(asking, "executionArn")]
}

fn on_activity(asking: &Asking<'_>) -> Vec<Need> {
    vec![on(asking, "activityArn")]
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
    let mut needs = made(asking, &arn);
    needs.extend(publishes(asking, &arn));
    needs.extend(passes(asking));
    needs
}

fn create_activity(asking: &Asking<'_>) -> Vec<Need> {
    let partition = asking.ctx.partition();
    let arn = names::activity_arn(&partition, asking.text("name").unwrap_or("*"));
    made(asking, &arn)
}

/// To make something with tags is a permission to tag it, too.
fn made(asking: &Asking<'_>, arn: &str) -> Vec<Need> {
    let tags = asking.tags("tags");
    let need = |action: String| Need::new(action).on([arn.to_owned()]).tagging(&tags);
    let mut needs = vec![need(format!("states:{}", asking.operation))];
    if !tags.is_empty() {
        needs.push(need("states:TagResource".to_owned()));
    }
    needs
}

fn test(asking: &Asking<'_>) -> Vec<Need> {
    let mut needs = vec![Need::new("states:TestState")];
    if asking.input.get("revealSecrets") == Some(&Value::Bool(true)) {
        needs.push(Need::new("states:RevealSecrets"));
    }
    needs.extend(passes(asking));
    needs
}

fn on_map_run(asking: &Asking<'_>) -> Vec<Need> {
    vec![on(asking, "mapRunArn")]
}

fn update(asking: &Asking<'_>) -> Vec<Need> {
    let mut needs = on_machine(asking);
    needs.extend(publishes(asking, asking.text("stateMachineArn").unwrap_or("*")));
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
        const RULES: [Rule; 31] = [
            of("CreateActivity", create_activity),
            of("CreateStateMachine", create),
            of("CreateStateMachineAlias", create_alias),
            of("DeleteActivity", on_activity),
            of("DeleteStateMachine", on_machine),
            of("DeleteStateMachineAlias", on_alias),
            of("DeleteStateMachineVersion", on_version),
            of("DescribeActivity", on_activity),
            of("DescribeExecution", on_execution),
            of("DescribeMapRun", on_map_run),
            of("DescribeStateMachine", on_machine),
            of("DescribeStateMachineAlias", on_alias),
            of("DescribeStateMachineForExecution", on_execution),
            of("GetActivityTask", on_activity),
            of("GetExecutionHistory", on_execution),
            of("ListExecutions", on_machine),
            of("ListMapRuns", on_execution),
            of("ListStateMachineAliases", on_machine),
            of("ListStateMachineVersions", on_machine),
            of("ListTagsForResource", on_resource),
            of("PublishStateMachineVersion", on_machine),
            of("RedriveExecution", on_execution),
            of("StartExecution", on_machine),
            of("StartSyncExecution", on_machine),
            of("StopExecution", on_execution),
            of("TagResource", on_resource),
            of("TestState", test),
            of("UntagResource", on_resource),
            of("UpdateMapRun", on_map_run),
            of("UpdateStateMachine", update),
            of("UpdateStateMachineAlias", on_alias),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let found = names::tagged(ctx, arn).ok().and_then(|tagged| {
                let states = self.0.upgrade()?;
                match tagged {
                    Tagged::Machine(name) => states.machine(ctx, &name).ok().map(|found| found.tags),
                    Tagged::Activity(name) => states.activity(ctx, &name).ok().map(|found| found.tags),
                }
            });
            found.map(|tags| tags.pairs()).unwrap_or_default()
        })
    }
}
