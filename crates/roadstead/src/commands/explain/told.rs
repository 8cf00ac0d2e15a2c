//! The explanation in words.

use roadstead_api_ecs::{Task, TaskDefinition};
use roadstead_placement::{
    Candidate, Demand, MAX_RESERVED, Plan, Ports, Refusal, Resource, missing_attribute, unsatisfied,
};

use super::world::{World, number};

/// What became of a task.
pub(super) fn task(task: &Task) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "{} is {}, meant to be {}.",
        last(&text(&task.task_arn)),
        text(&task.last_status),
        text(&task.desired_status)
    )];
    if let Some(instance) = &task.container_instance_arn {
        lines.push(format!(
            "It was placed on the container instance {}.",
            last(instance)
        ));
    }
    if let Some(reason) = &task.stopped_reason {
        let code = task.stop_code.map(|code| format!("{code}: ")).unwrap_or_default();
        lines.push(format!("It stopped: {code}{reason}"));
    }
    for container in task.containers.iter().flatten() {
        let code = container.exit_code.map(|code| format!(" with exit code {code}"));
        let reason = container.reason.as_ref().map(|reason| format!(": {reason}"));
        if code.is_some() || reason.is_some() {
            let (code, reason) = (code.unwrap_or_default(), reason.unwrap_or_default());
            lines.push(format!(
                "    {} is {}{code}{reason}",
                text(&container.name),
                text(&container.last_status)
            ));
        }
    }
    lines
}

/// Where one more copy would go, and what stands against each of the other instances.
pub(super) fn verdict(
    world: &World,
    definition: &TaskDefinition,
    demand: &Demand,
    cluster: &str,
    plan: &Plan,
) -> Vec<String> {
    let name = last(definition.task_definition_arn.as_deref().unwrap_or_default()).to_owned();
    let mut lines = vec![format!("A task of {name} needs {}.", needs(demand))];
    match plan.placements.first() {
        Some(id) => lines.push(format!("On the cluster {cluster} it goes to {}.", last(&id.0))),
        None if world.snapshot.candidates.is_empty() => {
            lines.push(format!("The cluster {cluster} has no container instances."));
        }
        None => lines.push(format!("On the cluster {cluster} it can go nowhere:")),
    }
    if demand.eni_slots > 0 {
        lines.push("Which zones its subnets are in is not looked at here.".to_owned());
    }
    for candidate in &world.snapshot.candidates {
        let machine = candidate.ec2_instance_id.as_deref().unwrap_or_default();
        let head = format!("{} ({machine})", last(&candidate.id.0));
        match roadstead_placement::admit(&world.snapshot, &candidate.id, demand) {
            Ok(()) => lines.push(format!("{head}: fits")),
            Err(refusal) => {
                let reason = refusal.to_string();
                let reason = reason.trim_end_matches('.');
                lines.push(format!(
                    "{head}: {reason}: {}",
                    because(world, candidate, demand, refusal)
                ));
                lines.extend(holders(world, candidate, refusal));
            }
        }
    }
    lines
}

fn needs(demand: &Demand) -> String {
    let mut parts = vec![
        format!("{} CPU units", demand.cpu),
        format!("{} MiB", demand.memory),
    ];
    if !demand.ports.is_empty() {
        parts.push(format!("host ports {}", shown(&demand.ports)));
    }
    if demand.eni_slots > 0 {
        parts.push("a network interface of its own".to_owned());
    }
    if demand.gpus > 0 {
        parts.push(gpus(demand.gpus));
    }
    for query in &demand.member_of {
        parts.push(format!("an instance where {query}"));
    }
    if demand.distinct_instance {
        parts.push(format!("an instance without a task of {}", demand.group));
    }
    parts.join(", ")
}

fn gpus(count: i64) -> String {
    match count {
        0 => "no GPUs".to_owned(),
        1 => "1 GPU".to_owned(),
        count => format!("{count} GPUs"),
    }
}

fn shown(ports: &Ports) -> String {
    let tcp = ports.tcp.iter().map(|port| format!("tcp/{port}"));
    let all: Vec<String> = tcp
        .chain(ports.udp.iter().map(|port| format!("udp/{port}")))
        .collect();
    all.join(", ")
}

fn because(world: &World, candidate: &Candidate, demand: &Demand, refusal: Refusal) -> String {
    let free = world.snapshot.capacity(candidate);
    let instance = world.instances.get(&candidate.id);
    let registered = |name: &str| instance.map_or(0, |it| number(it.registered_resources.as_deref(), name));
    match refusal {
        Refusal::Missing => "there is no such instance".to_owned(),
        Refusal::Inactive => {
            let status = instance.and_then(|it| it.status.clone()).unwrap_or_default();
            format!("it is {status} and takes no new tasks")
        }
        Refusal::Agent => "its agent is not connected".to_owned(),
        Refusal::Location => "it is in another zone or VPC".to_owned(),
        Refusal::Attribute | Refusal::MemberOf => match missing_attribute(candidate, demand) {
            Some(missing) => {
                let wanted = missing
                    .value
                    .as_ref()
                    .map(|value| format!(" = {value}"))
                    .unwrap_or_default();
                let has = match candidate.attributes.get(&missing.name) {
                    Some(value) => format!("has {}", value.as_deref().unwrap_or("no value of it")),
                    None => "has no such attribute".to_owned(),
                };
                format!("it needs the attribute {}{wanted} and {has}", missing.name)
            }
            None => match unsatisfied(candidate, demand) {
                Some(query) => format!("it is none where {query}"),
                None => String::new(),
            },
        },
        Refusal::DistinctInstance => format!(
            "tasks of {} there: {}",
            demand.group,
            candidate.peers(&demand.group)
        ),
        Refusal::Resource(Resource::Cpu) => {
            format!(
                "it needs {} CPU units, {} of {} are free",
                demand.cpu,
                free.cpu,
                registered("CPU")
            )
        }
        Refusal::Resource(Resource::Memory) => {
            format!(
                "it needs {} MiB, {} of {} are free",
                demand.memory,
                free.memory,
                registered("MEMORY")
            )
        }
        Refusal::Resource(Resource::Ports) => {
            let both = |wanted: &std::collections::BTreeSet<u16>, used: &std::collections::BTreeSet<u16>| {
                wanted.intersection(used).copied().collect()
            };
            let taken = Ports {
                tcp: both(&demand.ports.tcp, &free.used_ports.tcp),
                udp: both(&demand.ports.udp, &free.used_ports.udp),
            };
            if taken.is_empty() {
                format!("with its ports more than {MAX_RESERVED} would be reserved")
            } else {
                format!("{} is taken", shown(&taken))
            }
        }
        Refusal::Resource(Resource::Gpu) => {
            format!(
                "it needs {}, and has {} to give",
                gpus(demand.gpus),
                gpus(free.gpus)
            )
        }
        Refusal::Resource(Resource::Eni) => format!("{} of its interfaces are free", free.eni_slots.max(0)),
    }
}

/// Who has what is lacking, the most first.
fn holders(world: &World, candidate: &Candidate, refusal: Refusal) -> Vec<String> {
    let Refusal::Resource(resource) = refusal else {
        return Vec::new();
    };
    let tasks = world
        .tasks
        .get(&candidate.id)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let number = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| text.parse::<i64>().ok())
            .unwrap_or_default()
    };
    let bound = |task: &Task| {
        let bindings = task.containers.iter().flatten();
        let bindings = bindings.flat_map(|container| container.network_bindings.iter().flatten());
        let ports = bindings
            .filter_map(|binding| binding.host_port)
            .map(|port| port.to_string());
        ports.collect::<Vec<_>>().join(", ")
    };
    let mut held: Vec<(i64, String)> = Vec::new();
    for task in tasks {
        let (amount, words) = match resource {
            Resource::Cpu => (number(&task.cpu), format!("{} CPU units", number(&task.cpu))),
            Resource::Memory => (number(&task.memory), format!("{} MiB", number(&task.memory))),
            Resource::Ports if !bound(task).is_empty() => (0, format!("host ports {}", bound(task))),
            Resource::Eni if task.attachments.iter().flatten().next().is_some() => {
                (0, "an interface".to_owned())
            }
            Resource::Ports | Resource::Eni | Resource::Gpu => continue,
        };
        let (group, arn) = (
            task.group.as_deref().unwrap_or_default(),
            task.task_arn.as_deref().unwrap_or_default(),
        );
        held.push((amount, format!("    {group} {} has {words}", last(arn))));
    }
    held.sort_by_key(|(amount, _)| std::cmp::Reverse(*amount));
    held.into_iter().map(|(_, line)| line).collect()
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use roadstead_api_ecs::{Attribute, Container, ContainerInstance, NetworkBinding, Resource};
    use roadstead_placement::{Query, place};

    use super::*;

    fn amount(name: &str, value: i32) -> Resource {
        Resource {
            name: Some(name.into()),
            integer_value: Some(value),
            ..Resource::default()
        }
    }

    /// An instance with 128 of 1024 CPU units, on which one task has the rest and port 80.
    fn world() -> World {
        let ports = Resource {
            name: Some("PORTS".into()),
            string_set_value: Some(vec!["22".into(), "80".into()]),
            ..Resource::default()
        };
        let instance = ContainerInstance {
            container_instance_arn: Some("arn:aws:ecs:r:a:container-instance/c/1".into()),
            ec2_instance_id: Some("i-1".into()),
            status: Some("ACTIVE".into()),
            agent_connected: Some(true),
            attributes: Some(vec![Attribute {
                name: "rack".into(),
                value: Some("7".into()),
                ..Attribute::default()
            }]),
            registered_resources: Some(vec![amount("CPU", 1024), amount("MEMORY", 1000)]),
            remaining_resources: Some(vec![amount("CPU", 128), amount("MEMORY", 1000), ports]),
            ..ContainerInstance::default()
        };
        let container = Container {
            network_bindings: Some(vec![NetworkBinding {
                host_port: Some(80),
                ..NetworkBinding::default()
            }]),
            ..Container::default()
        };
        let task = Task {
            task_arn: Some("arn:aws:ecs:r:a:task/c/2".into()),
            container_instance_arn: instance.container_instance_arn.clone(),
            desired_status: Some("RUNNING".into()),
            group: Some("family:db".into()),
            cpu: Some("896".into()),
            memory: Some("0".into()),
            containers: Some(vec![container]),
            ..Task::default()
        };
        World::of(vec![instance], vec![task])
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Demand), expected: &[&str]) {
        let mut demand = Demand {
            group: "family:db".into(),
            ..Demand::default()
        };
        change(&mut demand);
        let world = world();
        let plan = place(&world.snapshot, &demand, 1, 0);
        let lines = verdict(&world, &TaskDefinition::default(), &demand, "c", &plan);
        assert_eq!(lines.get(2..).unwrap_or_default(), expected);
    }

    #[test]
    fn what_is_lacking_is_said_with_numbers_and_who_has_it() {
        check(|demand| demand.cpu = 128, &["1 (i-1): fits"]);
        check(
            |demand| demand.cpu = 512,
            &[
                "1 (i-1): RESOURCE:CPU: it needs 512 CPU units, 128 of 1024 are free",
                "    family:db 2 has 896 CPU units",
            ],
        );
        check(
            |demand| demand.ports.tcp = [80, 81].into(),
            &[
                "1 (i-1): RESOURCE:PORTS: tcp/80 is taken",
                "    family:db 2 has host ports 80",
            ],
        );
        check(
            |demand| demand.gpus = 2,
            &["1 (i-1): RESOURCE:GPU: it needs 2 GPUs, and has no GPUs to give"],
        );
        check(
            |demand| demand.distinct_instance = true,
            &["1 (i-1): distinctInstance placement constraint unsatisfied: tasks of family:db there: 1"],
        );
        check(
            |demand| demand.member_of = vec![Query::parse("attribute:rack == 8").expect("an expression")],
            &["1 (i-1): ATTRIBUTE: it is none where attribute:rack == 8"],
        );
        check(
            |demand| {
                demand.attributes = vec![roadstead_placement::RequiredAttribute {
                    name: "rack".into(),
                    value: Some("8".into()),
                }];
            },
            &["1 (i-1): ATTRIBUTE: it needs the attribute rack = 8 and has 7"],
        );
    }
}
