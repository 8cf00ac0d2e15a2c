//! A runtime of its own for each test, with a root file system made of busybox, and the proof at the end that
//! nothing is left on the machine: also when the test fails.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::sync::atomic::{AtomicU32, Ordering};

use roadstead_runtime::{
    Command, ContainerId, ContainerSpec, Exit, InstanceId, LogQuery, Options, Process, Root, Runtime, Stream,
};

pub(crate) struct Bench {
    pub(crate) runtime: Runtime,
    pub(crate) options: Options,
    pub(crate) rootfs: PathBuf,
    pub(crate) dir: tempfile::TempDir,
    finished: bool,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Bench {
    pub(crate) async fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make containers: run them as root"
        );
        let dir = tempfile::Builder::new()
            .prefix("rs-runtime-")
            .tempdir()
            .expect("a directory");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let instance: InstanceId = format!("t{:05x}{:x}", std::process::id() & 0xfffff, number & 0xff)
            .parse()
            .expect("an id");
        let mut options = Options::new(instance, dir.path().join("state"));
        options.shim_exe = env!("CARGO_BIN_EXE_rs-shim").into();
        let rootfs = dir.path().join("image");
        make_rootfs(&rootfs);
        let runtime = Runtime::open(options.clone()).await.expect("a runtime");
        Self {
            runtime,
            options,
            rootfs,
            dir,
            finished: false,
        }
    }

    pub(crate) fn root(&self) -> Root {
        Root::Overlay {
            lower: vec![self.rootfs.clone()],
            writable: None,
        }
    }

    /// A container that runs `args`.
    pub(crate) fn spec(&self, id: &str, args: &[&str]) -> ContainerSpec {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        ContainerSpec::new(
            self.id(id),
            self.root(),
            Process::Command(Command {
                args,
                ..Command::default()
            }),
        )
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, id: &str, script: &str) -> ContainerSpec {
        self.spec(id, &["sh", "-c", script])
    }

    pub(crate) fn pause(&self, id: &str) -> ContainerSpec {
        ContainerSpec::new(self.id(id), Root::Empty, Process::Pause)
    }

    pub(crate) fn id(&self, id: &str) -> ContainerId {
        id.parse().expect("an id")
    }

    /// Creates, starts, waits: the exit and what went to stdout.
    pub(crate) async fn run(&self, spec: ContainerSpec) -> (Exit, String) {
        let id = spec.id.clone();
        self.start(spec).await;
        let exit = self.runtime.wait(&id).await.expect("an exit");
        let out = self.output(&id, Stream::Stdout).await;
        (exit, out)
    }

    pub(crate) async fn start(&self, spec: ContainerSpec) -> i32 {
        let id = spec.id.clone();
        self.runtime.create(spec).await.expect("created");
        self.runtime.start(&id).await.expect("started").pid
    }

    /// Runs a script that must print exactly `expected` (trimmed) and succeed.
    pub(crate) async fn check(&self, spec: ContainerSpec, expected: &str) {
        let id = spec.id.clone();
        let (exit, out) = self.run(spec).await;
        let err = self.output(&id, Stream::Stderr).await;
        assert_eq!((out.trim(), exit.code), (expected.trim(), 0), "stderr: {err}");
    }

    pub(crate) async fn output(&self, id: &ContainerId, stream: Stream) -> String {
        let query = LogQuery {
            stream: Some(stream),
            ..LogQuery::default()
        };
        let mut reader = self.runtime.read_log(id, query).expect("a log");
        let mut text = String::new();
        while let Some(line) = reader.next().await.expect("a line") {
            text.push_str(&String::from_utf8_lossy(&line.bytes));
            if !line.partial {
                text.push('\n');
            }
        }
        text
    }

    pub(crate) fn container_dir(&self, id: &str) -> PathBuf {
        self.options.state_dir.join(id)
    }

    /// The container's directory in a v1 hierarchy.
    pub(crate) fn cgroup(&self, controller: &str, id: &str) -> PathBuf {
        Path::new("/sys/fs/cgroup")
            .join(controller)
            .join(&self.options.cgroup_parent)
            .join(format!("c-{id}"))
    }

    /// Removes everything and shows that it is gone.
    pub(crate) async fn finish(mut self) {
        self.runtime.destroy().await.expect("destroyed");
        self.finished = true;
        // A process that was killed goes when the kernel and its parent are done with it; the patience only bounds a
        // failure.
        let mut left = self.traces();
        for _ in 0..6_000 {
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            left = self.traces();
        }
        assert!(left.is_empty(), "left behind: {left:#?}");
    }

    /// Mounts, control groups, processes and directories that carry this test's names.
    pub(crate) fn traces(&self) -> Vec<String> {
        let state = self.options.state_dir.to_string_lossy().into_owned();
        let parent = &self.options.cgroup_parent;
        let mut found = Vec::new();
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        found.extend(
            mounts
                .lines()
                .filter(|line| line.contains(&state))
                .map(|line| format!("mount {line}")),
        );
        let unified = PathBuf::from("/sys/fs/cgroup");
        let hierarchies = fs::read_dir(&unified)
            .expect("cgroups")
            .flatten()
            .map(|entry| entry.path());
        for hierarchy in hierarchies.chain([unified]) {
            let dir = hierarchy.join(parent);
            if dir.exists() {
                found.push(format!("cgroup {}", dir.display()));
            }
        }
        for process in fs::read_dir("/proc").expect("/proc").flatten() {
            let read = |name: &str| fs::read_to_string(process.path().join(name)).unwrap_or_default();
            if read("cmdline").contains(&state) || read("cgroup").contains(&format!("/{parent}/")) {
                found.push(format!(
                    "process {} {:?}",
                    process.path().display(),
                    read("cmdline")
                ));
            }
        }
        if Path::new(&state).exists() {
            found.push(format!("directory {state}"));
        }
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let runtime = self.runtime.clone();
        let clean = std::thread::spawn(move || {
            let executor = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("an executor");
            executor.block_on(runtime.destroy())
        });
        if let Ok(Err(err)) = clean.join() {
            eprintln!("could not clean up: {err}");
        }
    }
}

fn make_rootfs(root: &Path) {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists());
    let busybox = busybox.expect("busybox is missing: apt-get install busybox-static");
    for dir in ["bin", "etc", "tmp", "data", "root"] {
        fs::create_dir_all(root.join(dir)).expect("a directory");
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("a mode");
    fs::copy(&busybox, root.join("bin/busybox")).expect("busybox");
    let list = Program::new(&busybox).arg("--list").output().expect("applets");
    for applet in String::from_utf8_lossy(&list.stdout)
        .lines()
        .filter(|applet| *applet != "busybox")
    {
        symlink("busybox", root.join("bin").join(applet)).expect("a link");
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/data:/bin/sh\n",
    )
    .expect("passwd");
    fs::write(root.join("etc/group"), "root:x:0:\nweb:x:102:\nstaff:x:50:web\n").expect("group");
    fs::write(root.join("data/seed"), "from the image\n").expect("a file");
}

/// Asks again until it is so; how often only bounds a failure.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..12_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}
