//! How long a container takes from its beginning to its end, beside `crun` and `runc` with the same program, the same
//! capabilities and, in a second pair of series, the same system call filter. In turns, in one run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{Series, built, checked, compare};

const AIM: f64 = 1.0;
/// Docker's capabilities, which the runtime's default is too.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

#[derive(Args)]
pub(crate) struct Options {
    /// How many of each.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// Milliseconds of rest before each, as between a machine's real containers.
    #[arg(long, default_value_t = 0)]
    idle: u64,
}

/// Builds, and runs this command again in a mount namespace that `crun` accepts: it refuses a machine whose cgroups
/// are hybrid, but not one with the v2 tree out of sight.
pub(super) fn enter(root: &Path) -> Result<()> {
    checked(Command::new(root.join("scripts/setup.sh")).arg("test"))?;
    checked(
        Command::new(env!("CARGO"))
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "roadstead-runtime",
                "--example",
                "start",
            ])
            .current_dir(root),
    )?;
    let own = std::env::current_exe().context("finding this program")?;
    let script =
        "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; exec \"$0\" \"$@\"";
    checked(
        Command::new("unshare")
            .args(["--mount", "sh", "-c", script])
            .arg(own)
            .args(std::env::args_os().skip(1))
            .arg("--inside")
            .current_dir(root),
    )
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let plain = bundle(&folder.join("plain"), None)?;
    let filtered = bundle(&folder.join("filtered"), Some(filter(root)?))?;
    let mut ours = Ours::start(root, &plain)?;
    let mut series = [
        "roadstead: create to exit, no filter",
        "crun run, no filter",
        "runc run, no filter",
        "roadstead: create to deleted, no filter",
        "roadstead: create to exit",
        "crun run, Docker's filter",
        "runc run, Docker's filter",
        "roadstead: create to deleted",
        "roadstead: a pause container to its start",
    ]
    .map(|name| Series {
        name,
        values: Vec::new(),
    });
    // In turns, so that whatever else the machine does falls on all; the first of each only warms up.
    for round in 0..=options.rounds {
        let rest = || std::thread::park_timeout(Duration::from_millis(options.idle));
        rest();
        let open = ours.one("unconfined")?;
        rest();
        let crun_open = reference("crun", &plain)?;
        rest();
        let runc_open = reference("runc", &plain)?;
        rest();
        let closed = ours.one("run")?;
        rest();
        let crun_closed = reference("crun", &filtered)?;
        rest();
        let runc_closed = reference("runc", &filtered)?;
        rest();
        let pause = ours.one("pause")?;
        let times = [
            open.ended,
            crun_open,
            runc_open,
            open.deleted,
            closed.ended,
            crun_closed,
            runc_closed,
            closed.deleted,
            pause.started,
        ];
        if round > 0 {
            series
                .iter_mut()
                .zip(times)
                .for_each(|(series, time)| series.values.push(time));
        }
    }
    let [
        open,
        crun_open,
        runc_open,
        open_deleted,
        closed,
        crun_closed,
        runc_closed,
        closed_deleted,
        pause,
    ] = &series;
    for (ours, theirs) in [
        (open, crun_open),
        (open, runc_open),
        (open_deleted, crun_open),
        (closed, crun_closed),
        (closed, runc_closed),
        (closed_deleted, crun_closed),
    ] {
        compare(ours, theirs, AIM);
    }
    pause.print();
    println!("memory (PSS, kB): {}", ours.memory()?);
    ours.end()
}

/// A busybox root file system, and what an OCI runtime is told about it.
fn bundle(folder: &Path, filter: Option<Value>) -> Result<PathBuf> {
    for inside in ["bin", "proc", "sys", "dev", "tmp"] {
        std::fs::create_dir_all(folder.join("rootfs").join(inside))?;
    }
    std::fs::copy("/bin/busybox", folder.join("rootfs/bin/true"))
        .context("copying busybox: apt-get install busybox-static")?;
    checked(Command::new("runc").arg("spec").current_dir(folder))?;
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    config["process"]["terminal"] = json!(false);
    config["process"]["noNewPrivileges"] = json!(false);
    config["process"]["args"] = json!(["/bin/true"]);
    config["root"]["readonly"] = json!(false);
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set] = json!(CAPABILITIES);
    }
    for set in ["inheritable", "ambient"] {
        config["process"]["capabilities"][set] = json!([]);
    }
    if let Some(filter) = filter {
        config["linux"]["seccomp"] = filter;
    }
    std::fs::write(&path, config.to_string())?;
    Ok(folder.to_owned())
}

/// Docker's profile as an OCI runtime takes it: what applies to these capabilities on this machine.
fn filter(root: &Path) -> Result<Value> {
    let path = root.join("crates/node/runtime/data/docker-default.json");
    let profile: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let (machine, architectures) = match std::env::consts::ARCH {
        "x86_64" => ("amd64", json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])),
        "aarch64" => ("arm64", json!(["SCMP_ARCH_AARCH64"])),
        other => bail!("no profile for {other}"),
    };
    let list = |entry: &Value, when: &str, what: &str| -> Vec<String> {
        let names = entry[when][what].as_array().into_iter().flatten();
        names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let mut rules = Vec::new();
    for entry in profile["syscalls"].as_array().into_iter().flatten() {
        let has = |cap: &String| CAPABILITIES.contains(&cap.as_str());
        let arches = list(entry, "includes", "arches");
        let applies = list(entry, "includes", "caps").iter().all(has)
            && (arches.is_empty() || arches.iter().any(|arch| arch == machine))
            && !list(entry, "excludes", "caps").iter().any(has)
            && !list(entry, "excludes", "arches")
                .iter()
                .any(|arch| arch == machine);
        if applies {
            let mut rule = json!({"names": entry["names"], "action": entry["action"]});
            for member in ["args", "errnoRet"] {
                if !entry[member].is_null() {
                    rule[member] = entry[member].clone();
                }
            }
            rules.push(rule);
        }
    }
    Ok(json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": architectures, "syscalls": rules}))
}

/// The whole command, which makes the container, waits for it and removes it.
fn reference(program: &str, bundle: &Path) -> Result<Duration> {
    let from = Instant::now();
    let ran = Command::new(program)
        .args(["run", "--bundle"])
        .arg(bundle)
        .arg(format!("rs-perf-{}", std::process::id()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .with_context(|| format!("running {program}: apt-get install {program}"))?;
    let took = from.elapsed();
    if !ran.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(took)
}

/// The runtime, in a process of its own as in the daemon.
struct Ours {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

struct Times {
    started: Duration,
    ended: Duration,
    deleted: Duration,
}

impl Ours {
    fn start(root: &Path, bundle: &Path) -> Result<Self> {
        let mut child = Command::new(built(root).join("release/examples/start"))
            .arg(bundle)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the runtime")?;
        let input = child.stdin.take().context("a pipe")?;
        let output = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(Self { child, input, output })
    }

    fn ask(&mut self, what: &str) -> Result<String> {
        writeln!(self.input, "{what}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            bail!("the runtime ended; its message is above");
        }
        Ok(line.trim().to_owned())
    }

    fn one(&mut self, what: &str) -> Result<Times> {
        let line = self.ask(what)?;
        let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [_created, started, ended, deleted] = numbers[..] else {
            bail!("{line:?} is no answer")
        };
        let [started, ended, deleted] = [started, ended, deleted].map(Duration::from_micros);
        Ok(Times {
            started,
            ended,
            deleted,
        })
    }

    fn memory(&mut self) -> Result<String> {
        let line = self.ask("memory")?;
        let (shim, pause) = line.split_once(' ').context("two numbers")?;
        Ok(format!("idle shim {shim}, pause process {pause}"))
    }

    fn end(self) -> Result<()> {
        let Self {
            mut child,
            input,
            output,
        } = self;
        drop((input, output));
        let status = child.wait()?;
        if !status.success() {
            bail!("the runtime ended with {status}");
        }
        Ok(())
    }
}
