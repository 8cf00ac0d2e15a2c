//! A task's container in the runtime's words. Pure: task and image in, specification out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use roadstead_awslogs::Mode;
use roadstead_image::{Image, ImageConfig};
use roadstead_runtime::{
    Backlog, Capabilities, Command, ContainerId, ContainerSpec, CpuQuota, Device, GroupName, LogConfig,
    Mount, MountKind, Net, Process, Resources, Root, Seccomp, Share, Ulimit, UserNamespace, WhenFull,
};

use super::failed;
use crate::driver::{Failure, Result};
use crate::engine::docker;
use crate::engine::spec::{Container, LaunchType, NetworkMode, Sending, Sharing, Task};
use crate::engine::state::ImageTold;

/// Microseconds in which a task's share of the CPUs is counted.
const PERIOD_US: u64 = 100_000;
/// What a container without a CPU share gets. Source: the ECS API reference, ContainerDefinition, `cpu`.
const LEAST_SHARES: u64 = 2;
/// The most that the kernel knows, which the vendor's agent says instead of more.
const MOST_SHARES: u64 = 262_144;

/// What the node adds to every container's environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    pub region: String,
    /// The API as awsvpc tasks reach it.
    pub task_endpoint: Option<String>,
    /// The API as tasks in the host's network reach it.
    pub host_endpoint: Option<String>,
    pub allowed: Allowed,
}

/// What the operator lets containers do to the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Privileged containers, and ones without a system call filter: whoever may run them owns the machine.
    pub privileged: bool,
    /// Root in a container is this range of ordinary users of the machine.
    pub users: Option<UserNamespace>,
}

pub(super) fn id(text: &str) -> Result<ContainerId> {
    text.parse().map_err(failed)
}

pub(super) fn group(task: &Task) -> Result<GroupName> {
    task.id.parse().map_err(failed)
}

/// Limits of the task as a whole.
pub(super) fn group_resources(task: &Task) -> Resources {
    Resources {
        cpu_quota: (task.cpu > 0).then(|| CpuQuota {
            quota_us: task.cpu * PERIOD_US / 1024,
            period_us: PERIOD_US,
        }),
        memory_limit: (task.memory > 0).then_some(task.memory << 20),
        ..Resources::default()
    }
}

/// The container that holds the task's namespaces.
pub(super) fn pause(task: &Task, hostname: Option<String>, allowed: Allowed) -> Result<ContainerSpec> {
    let mut spec = ContainerSpec::new(id(&task.pause_id())?, Root::Empty, Process::Pause);
    spec.hostname = hostname;
    if allowed.users.is_some() && task.network == NetworkMode::Awsvpc {
        // The containers' root has no rights over this namespace, and is to serve on low ports all the same.
        let name = "net.ipv4.ip_unprivileged_port_start".to_owned();
        spec.sysctls.insert(name, "0".to_owned());
    }
    for container in &task.containers {
        // As documented: what one container sets is set for all that share; the last one counts.
        spec.sysctls.extend(sysctls(task, container, true));
    }
    spec.group = Some(group(task)?);
    spec.labels = [("roadstead.task".to_owned(), task.arn.clone())].into();
    Ok(spec)
}

/// Whether the task has one: for its network, or for namespaces that its containers share.
pub(super) fn has_pause(task: &Task) -> bool {
    task.network == NetworkMode::Awsvpc || task.pid == Sharing::Task || task.ipc == Sharing::Task
}

/// The container's kernel parameters: those of the namespaces it shares with the task, or its own.
fn sysctls(task: &Task, container: &Container, shared: bool) -> BTreeMap<String, String> {
    let of_task = |name: &str| {
        if name.starts_with("net.") {
            task.network == NetworkMode::Awsvpc && !container.config.network_disabled
        } else {
            task.ipc == Sharing::Task
        }
    };
    let all = container.host.sysctls.iter().flatten();
    all.filter(|(name, _)| of_task(name) == shared)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

pub(super) fn container(
    task: &Task,
    container: &Container,
    image: &Image,
    mounts: Vec<Mount>,
    hostname: String,
    around: &Surroundings,
) -> Result<ContainerSpec> {
    let command = Command {
        args: args(container, &image.config)?,
        env: environment(task, container, &image.config, around),
        cwd: [&container.config.working_dir, &image.config.working_dir]
            .into_iter()
            .find(|dir| !dir.is_empty())
            .map(PathBuf::from),
        user: [&container.config.user, &image.config.user]
            .into_iter()
            .find(|user| !user.is_empty())
            .cloned(),
        groups: Vec::new(),
    };
    let root = Root::Overlay {
        lower: image.layers.clone(),
        writable: None,
    };
    let mut spec = ContainerSpec::new(id(&container.runtime_id)?, root, Process::Command(command));
    let paused = || task.pause_id().parse::<ContainerId>().map_err(failed);
    spec.network = match task.network {
        _ if container.config.network_disabled => Net::New,
        NetworkMode::Awsvpc => Net::With(paused()?),
        NetworkMode::Host => Net::Host,
        NetworkMode::Bridge | NetworkMode::None => Net::New,
    };
    let share = |sharing: Sharing| match sharing {
        Sharing::None => Ok(Share::New),
        Sharing::Task => paused().map(Share::With),
        Sharing::Host => Ok(Share::Host),
    };
    spec.pid = share(task.pid)?;
    spec.ipc = share(task.ipc)?;
    spec.hostname = Some(hostname);
    spec.group = Some(group(task)?);
    spec.readonly_root = container.host.readonly_rootfs;
    spec.capabilities = Capabilities {
        add: container.host.cap_add.clone().unwrap_or_default(),
        drop: container.host.cap_drop.clone().unwrap_or_default(),
    };
    spec.resources = resources(container)?;
    spec.ulimits = ulimits(container)?;
    spec.sysctls = sysctls(task, container, false);
    spec.tty = container.config.tty;
    spec.interactive = container.config.open_stdin;
    spec.init = container.host.init == Some(true);
    spec.shm_size = u64::try_from(container.host.shm_size)
        .ok()
        .filter(|bytes| *bytes > 0);
    spec.devices = container.host.devices.iter().flatten().map(device).collect();
    spec.swappiness = swappiness(container)?;
    spec.user_namespace = around.allowed.users;
    privileges(&mut spec, container, around.allowed)?;
    spec.log = log(container)?;
    spec.labels = container.config.labels.clone().unwrap_or_default();
    spec.labels.insert("roadstead.task".to_owned(), task.arn.clone());
    spec.labels
        .insert("roadstead.container".to_owned(), container.name.clone());
    spec.mounts = mounts;
    for (target, options) in container.host.tmpfs.iter().flatten() {
        spec.mounts.push(tmpfs(target, options)?);
    }
    Ok(spec)
}

/// What only an operator can allow is refused without it.
fn privileges(spec: &mut ContainerSpec, container: &Container, allowed: Allowed) -> Result<()> {
    let security = container.host.security().map_err(|option| {
        Failure(format!(
            "the security option {option:?} is not supported by Roadstead yet"
        ))
    })?;
    let asked = [
        ("privileged", container.host.privileged),
        (
            "dockerSecurityOptions seccomp:unconfined",
            security.seccomp_unconfined,
        ),
    ];
    if let Some((member, _)) = asked.iter().find(|(_, asked)| *asked)
        && !allowed.privileged
    {
        return Err(Failure(format!(
            "{member} is not allowed on this node; its operator allows it with --allow-privileged"
        )));
    }
    spec.privileged = container.host.privileged;
    spec.no_new_privileges = security.no_new_privileges;
    if security.seccomp_unconfined {
        spec.seccomp = Seccomp::Unconfined;
    }
    Ok(())
}

fn device(device: &docker::Device) -> Device {
    let may = |permission: char| device.cgroup_permissions.contains(permission);
    Device {
        host: PathBuf::from(&device.path_on_host),
        container: PathBuf::from(&device.path_in_container),
        read: may('r'),
        write: may('w'),
        mknod: may('m'),
    }
}

fn swappiness(container: &Container) -> Result<Option<u8>> {
    // -1 is Docker's word for the machine's own.
    match container.host.memory_swappiness {
        None | Some(-1) => Ok(None),
        Some(value) => match u8::try_from(value) {
            Ok(value) if value <= 100 => Ok(Some(value)),
            _ => Err(Failure(format!("MemorySwappiness {value} is not 0 to 100"))),
        },
    }
}

/// Docker's rule: an entry point of the definition's own discards the image's command too.
pub(super) fn args(container: &Container, image: &ImageConfig) -> Result<Vec<String>> {
    let own = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    let (entry, rest) = match (own(&container.entry_point), own(&container.command)) {
        (Some(entry), command) => (entry, command.unwrap_or_default()),
        (None, Some(command)) => (image.entrypoint.clone(), command),
        (None, None) => (image.entrypoint.clone(), image.cmd.clone()),
    };
    let args: Vec<String> = entry.into_iter().chain(rest).collect();
    if args.is_empty() {
        return Err(Failure::new(
            "no command specified: neither the container definition nor its image has one",
        ));
    }
    Ok(args)
}

/// What of the image the container's log driver tells, if it does.
pub(super) fn told(container: &Container, image: &ImageConfig) -> Option<ImageTold> {
    match &container.sending {
        Some(Sending::Receiver(driver)) if driver.tells_of_image() => Some(ImageTold {
            command: args(container, image).unwrap_or_default(),
            environment: image.env.clone(),
            labels: image.labels.clone(),
        }),
        _ => None,
    }
}

/// The image's, then the node's, then the task definition's with its overrides; the later wins. What tells a
/// container where its own metadata is cannot be overridden.
fn environment(
    task: &Task,
    container: &Container,
    image: &ImageConfig,
    around: &Surroundings,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| match all.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => value.clone_into(old),
        None => all.push((name.to_owned(), value.to_owned())),
    };
    for pair in &image.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(name, value);
    }
    let execution = match task.launch_type {
        LaunchType::Fargate => "AWS_ECS_FARGATE",
        LaunchType::Ec2 | LaunchType::External => "AWS_ECS_EC2",
    };
    set("AWS_EXECUTION_ENV", execution);
    set("AWS_REGION", &around.region);
    set("AWS_DEFAULT_REGION", &around.region);
    let endpoint = match task.network {
        _ if !has_link(task, container) => match task.network {
            NetworkMode::Host if !container.config.network_disabled => &around.host_endpoint,
            _ => &None,
        },
        _ => &around.task_endpoint,
    };
    if let Some(endpoint) = endpoint {
        set("AWS_ENDPOINT_URL", endpoint);
        // Clients put `sync-` and the like before the host for some operations, which an address cannot have.
        if !container
            .environment
            .iter()
            .any(|(name, _)| name == "AWS_ENDPOINT_URL")
        {
            set("AWS_DISABLE_HOST_PREFIX_INJECTION", "true");
        }
    }
    for (name, value) in &container.environment {
        set(name, value);
    }
    if has_link(task, container) {
        let base = format!("http://{}", roadstead_net::AGENT_ADDRESS);
        let id = &container.metadata_id;
        set("ECS_CONTAINER_METADATA_URI", &format!("{base}/v3/{id}"));
        set("ECS_CONTAINER_METADATA_URI_V4", &format!("{base}/v4/{id}"));
        set("ECS_AGENT_URI", &format!("{base}/api/{id}"));
        if let Some(id) = &task.credentials_id {
            set(
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                &format!("/v2/credentials/{id}"),
            );
        }
    }
    all
}

/// Whether the container has the link on which the agent answers.
fn has_link(task: &Task, container: &Container) -> bool {
    matches!(task.network, NetworkMode::Awsvpc | NetworkMode::Bridge) && !container.config.network_disabled
}

fn resources(container: &Container) -> Result<Resources> {
    let memory_limit = (container.memory > 0).then_some(container.memory << 20);
    let swap = match (container.host.memory_swap, memory_limit) {
        (0, _) => None,
        (together, Some(limit)) => match u64::try_from(together)
            .ok()
            .and_then(|both| both.checked_sub(limit))
        {
            Some(swap) => Some(swap),
            None => {
                return Err(Failure(format!(
                    "MemorySwap {together} is less than the container's memory"
                )));
            }
        },
        (_, None) => {
            return Err(Failure::new(
                "MemorySwap (maxSwap) needs a memory limit of the container",
            ));
        }
    };
    Ok(Resources {
        cpu_shares: Some(container.cpu.clamp(LEAST_SHARES, MOST_SHARES)),
        memory_limit,
        memory_reservation: u64::try_from(container.host.memory_reservation)
            .ok()
            .filter(|bytes| *bytes > 0),
        swap,
        pids_limit: container
            .host
            .pids_limit
            .and_then(|limit| u64::try_from(limit).ok())
            .filter(|limit| *limit > 0),
        cpu_quota: None,
    })
}

fn ulimits(container: &Container) -> Result<Vec<Ulimit>> {
    // -1 is Docker's word for no limit.
    let read = |name: &str, limit: i64| match limit {
        -1 => Ok(u64::MAX),
        limit => u64::try_from(limit).map_err(|_| Failure(format!("the ulimit {name} is negative: {limit}"))),
    };
    let limits = container.host.ulimits.iter().flatten();
    limits
        .map(|limit| {
            let (soft, hard) = (read(&limit.name, limit.soft)?, read(&limit.name, limit.hard)?);
            Ok(Ulimit {
                name: limit.name.clone(),
                soft,
                hard,
            })
        })
        .collect()
}

fn log(container: &Container) -> Result<LogConfig> {
    if let Some(sending) = &container.sending {
        let delivery = sending.delivery();
        return Ok(LogConfig::keeping(Backlog {
            limit: delivery.buffer,
            when_full: match delivery.mode {
                Mode::Blocking => WhenFull::Block,
                Mode::NonBlocking => WhenFull::Drop,
            },
            records: match sending {
                Sending::Awslogs(_) => None,
                Sending::Receiver(driver) => driver.records(),
            },
        }));
    }
    let mut log = LogConfig::default();
    let Some(config) = &container.host.log_config else {
        return Ok(log);
    };
    for (name, value) in config.config.iter().flatten() {
        let bad = || Failure(format!("the log option {name} cannot be {value:?}"));
        match name.as_str() {
            "max-size" => log.max_size = size(value).ok_or_else(bad)?,
            "max-file" => log.max_files = value.parse().map_err(|_| bad())?,
            _ => {
                return Err(Failure(format!(
                    "the log option {name} is not supported by Roadstead yet"
                )));
            }
        }
    }
    Ok(log)
}

fn tmpfs(target: &str, options: &str) -> Result<Mount> {
    let (mut bytes, mut read_only, mut rest) = (None, false, Vec::new());
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", text)) => {
                let read =
                    size(text).ok_or_else(|| Failure(format!("the tmpfs size {text:?} cannot be read")))?;
                bytes = Some(read);
            }
            _ if option == "ro" => read_only = true,
            _ if option == "rw" => {}
            _ => rest.push(option.to_owned()),
        }
    }
    Ok(Mount {
        kind: MountKind::Tmpfs {
            size: bytes,
            options: rest,
        },
        target: PathBuf::from(target),
        read_only,
    })
}

/// `64m`, `1g`, `4096`; without a unit, bytes.
fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (digits, shift) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 10),
        'm' => (&text[..text.len() - 1], 20),
        'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests;
