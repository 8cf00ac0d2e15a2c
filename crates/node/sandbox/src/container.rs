//! An environment as a container: nothing of the machine but a read-only root with the runtime, the code, the layers, or
//! with an image; a `/tmp` of its own size; no capability, no way to get any, no network but its own loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use roadstead_functions::{Content, Spec};
use roadstead_runtime::{
    Capabilities, Command, ContainerId, ContainerSpec, CpuQuota, Mount, MountKind, Net, Process, Resources,
    Root, Ulimit,
};

use crate::output;
use crate::program::Program;
use crate::variables;

/// Nobody's user and group on common machines; the ones that code sees in the cloud.
const USER: &str = "993:990";
/// Processes and threads, and open files, as documented.
const MOST_PROCESSES: u64 = 1024;
const MOST_FILES: u64 = 1024;
const CPU_PERIOD: Duration = Duration::from_millis(100);
const MIB: u64 = 1 << 20;

pub(crate) struct Parts<'a> {
    pub id: ContainerId,
    pub spec: &'a Spec,
    pub program: &'a Program,
    pub variables: Vec<(String, String)>,
    pub tmp: PathBuf,
    /// All layers in one.
    pub opt: Option<PathBuf>,
}

pub(crate) fn of(parts: Parts<'_>) -> ContainerSpec {
    let Parts {
        id,
        spec,
        program,
        variables,
        tmp,
        opt,
    } = parts;
    let root = Root::Overlay {
        lower: program.root(),
        writable: None,
    };
    let command = Command {
        args: program.command(),
        env: variables,
        cwd: Some(program.working_directory()),
        // Also of an image that names another one, as documented.
        user: Some(USER.into()),
        groups: Vec::new(),
    };
    let mut container = ContainerSpec::new(id, root, Process::Command(command));
    container.mounts = vec![bind(&tmp, "/tmp", false)];
    if let Program::Zip(zip, _) = program {
        let Content { sha256: _, folder } = &zip.code;
        container.mounts.insert(0, bind(folder, "/var/task", true));
    }
    if let Some(opt) = opt {
        container.mounts.push(bind(&opt, "/opt", true));
    }
    container.network = Net::New;
    container.hostname = Some("function".into());
    container.readonly_root = true;
    container.no_new_privileges = true;
    container.capabilities = Capabilities {
        add: Vec::new(),
        drop: vec!["ALL".into()],
    };
    container.resources = Resources {
        // Initialization has all there is: see `quota`.
        cpu_quota: None,
        memory_limit: Some(u64::from(spec.memory_mb) * MIB),
        pids_limit: Some(MOST_PROCESSES),
        ..Resources::default()
    };
    container.ulimits = [("nofile", MOST_FILES), ("core", 0)]
        .map(|(name, most)| Ulimit {
            name: name.to_owned(),
            soft: most,
            hard: most,
        })
        .to_vec();
    container.log = output::config();
    container.labels.insert(
        "function".to_owned(),
        format!("{}:{}", spec.function, spec.version),
    );
    container
}

/// What CPU an invocation has: a whole one for each 1,769 MB of memory, as documented.
pub(crate) fn quota(spec: &Spec) -> CpuQuota {
    CpuQuota {
        quota_us: variables::cpu(spec.memory_mb, CPU_PERIOD),
        period_us: u64::try_from(CPU_PERIOD.as_micros()).unwrap_or(u64::MAX),
    }
}

fn bind(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        kind: MountKind::Bind {
            source: source.to_owned(),
        },
        target: target.into(),
        read_only,
    }
}
