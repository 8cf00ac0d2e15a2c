//! What the life of a task is written with: containers, what happens to them, and how it reads.

use roadstead_base::Timestamp;

use crate::engine::event::{Effect, Event as E, Exit, Signal};
use crate::engine::machine::Machine;
use crate::engine::spec::{Condition, Container, Dependency, LaunchType, NetworkMode, Sharing, Task};
use crate::engine::state::{Change, ImageFacts, Namespace, Status};

pub(super) const T0: Timestamp = Timestamp(1_000_000);

pub(super) fn at(ms: i64) -> Timestamp {
    T0.plus_millis(ms)
}

pub(super) fn container(name: &str, essential: bool, on: &[(&str, Condition)]) -> Container {
    Container {
        name: name.to_owned(),
        arn: String::new(),
        runtime_id: format!("t-{name}"),
        metadata_id: String::new(),
        image: "busybox".to_owned(),
        image_name: "busybox".to_owned(),
        registry: None,
        cpu: 0,
        memory: 0,
        essential,
        entry_point: None,
        command: None,
        environment: Default::default(),
        secrets: Vec::new(),
        ports: Vec::new(),
        links: Vec::new(),
        mounts: Vec::new(),
        volumes_from: Vec::new(),
        depends_on: on
            .iter()
            .map(|(name, condition)| Dependency {
                container: (*name).to_owned(),
                condition: *condition,
            })
            .collect(),
        start_timeout_ms: None,
        stop_timeout_ms: 30_000,
        sending: None,
        health: None,
        restart: None,
        config: Default::default(),
        host: Default::default(),
    }
}

pub(super) fn machine(containers: Vec<Container>) -> Machine {
    Machine::new(Task {
        arn: "arn:aws:ecs:us-east-1:000000000000:task/default/t".to_owned(),
        id: "t".to_owned(),
        cluster_arn: String::new(),
        family: String::new(),
        revision: String::new(),
        launch_type: LaunchType::Ec2,
        network: NetworkMode::Awsvpc,
        cpu: 0,
        memory: 0,
        storage_gib: 0,
        containers,
        volumes: Vec::new(),
        interfaces: Vec::new(),
        pid: Sharing::None,
        ipc: Sharing::None,
        group: String::new(),
        service_name: String::new(),
        credentials_id: None,
        execution_keys: None,
        has_execution_role: false,
    })
}

pub(super) fn name(name: &str) -> String {
    name.to_owned()
}

pub(super) fn pulled(container: &str) -> E {
    E::Pulled {
        container: name(container),
        image: ImageFacts::default(),
    }
}

pub(super) fn exited(container: &str, code: i32, ms: i64) -> E {
    E::Exited {
        container: name(container),
        exit: Exit {
            code,
            at: at(ms),
            ..Exit::default()
        },
    }
}

pub(super) fn show(effects: &[Effect]) -> Vec<String> {
    let show = |effect: &Effect| match effect {
        Effect::Pull { container } => format!("pull {container}"),
        Effect::CancelPull { container } => format!("cancel pull {container}"),
        Effect::Create { container } => format!("create {container}"),
        Effect::Start { container } => format!("start {container}"),
        Effect::Delete { container } => format!("delete {container}"),
        Effect::Check { container } => format!("check {container}"),
        Effect::Signal {
            container,
            signal: Signal::Stop(signal),
        } => format!("{signal} {container}"),
        Effect::Signal {
            container,
            signal: Signal::Kill,
        } => format!("SIGKILL {container}"),
        Effect::Admit => "admit".to_owned(),
        Effect::NetworkUp => "network up".to_owned(),
        Effect::CancelNetwork => "cancel network".to_owned(),
        Effect::NetworkDown => "network down".to_owned(),
        Effect::Release => "release".to_owned(),
        Effect::Finish => "finish".to_owned(),
    };
    effects.iter().map(show).collect()
}

/// Each row: milliseconds, what happens, what is to be done.
pub(super) fn check(machine: &mut Machine, rows: Vec<(i64, E, &[&str])>) {
    for (ms, event, wanted) in rows {
        let said = format!("{event:?} at {ms}");
        assert_eq!(show(&machine.step(event, at(ms))), wanted, "{said}");
    }
}

/// A container's name, status and exit code.
pub(super) type Shown = (String, Status, Option<i32>);

pub(super) fn outbox(machine: &Machine) -> Vec<(Status, Vec<Shown>)> {
    let show = |change: &Change| {
        let containers = change
            .containers
            .iter()
            .map(|c| (c.name.clone(), c.status, c.exit_code))
            .collect();
        (change.status, containers)
    };
    machine.state.outbox.iter().map(show).collect()
}

pub(super) fn up() -> E {
    E::NetworkUp(Namespace {
        path: "/proc/1/ns/net".into(),
        ..Namespace::default()
    })
}

pub(super) fn created(container: &str) -> E {
    E::Created {
        container: name(container),
        at: T0,
        connection: None,
    }
}

pub(super) fn started(container: &str, ms: i64) -> E {
    E::Started {
        container: name(container),
        at: at(ms),
    }
}

/// One container up to RUNNING at 10 ms.
pub(super) fn running() -> Machine {
    let mut machine = machine(vec![container("web", true, &[])]);
    check(
        &mut machine,
        vec![
            (0, E::Tick, &["admit"]),
            (1, E::Admitted, &["network up", "pull web"]),
            (
                2,
                E::NamespaceReady(Namespace {
                    path: "/p".into(),
                    ..Namespace::default()
                }),
                &[],
            ),
            (3, pulled("web"), &["create web"]),
            (4, created("web"), &[]),
            (5, up(), &["start web"]),
            (10, started("web", 10), &[]),
        ],
    );
    machine
}
