//! Daemons and shims that die, and the clean-up after them.

mod support;

use std::fs;
use std::os::unix::process::CommandExt;

use roadstead_runtime::{Command, ContainerSpec, Error, Options, Process, Runtime, State, Stream};
use support::{Bench, until};

/// The pid of a container's shim.
fn shim(bench: &Bench, id: &str) -> i32 {
    let text = fs::read_to_string(bench.container_dir(id).join("shim.json")).expect("a shim");
    let pid = text.split("\"pid\":").nth(1).expect("a pid");
    pid.split([',', '}'])
        .next()
        .expect("a number")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn containers_go_on_without_a_daemon_and_are_found_by_the_next() {
    let mut bench = Bench::new().await;
    let pid = bench
        .start(bench.script(
            "long",
            "trap 'echo two; exit 4' USR1; echo one; while :; do sleep 0.05; done",
        ))
        .await;
    bench.start(bench.script("short", "sleep 0.2; exit 6")).await;
    bench
        .runtime
        .create(bench.spec("waiting", &["true"]))
        .await
        .expect("created");
    // The runtime, with whatever it has in memory, goes; another comes. Nothing is shared but the directory.
    let options = bench.options.clone();
    bench.runtime = Runtime::open(options).await.expect("reopened");
    bench
        .runtime
        .reap_strays()
        .await
        .expect("nothing of this is a stray");
    let list = bench.runtime.list().await.expect("a list");
    assert_eq!(list.len(), 3);
    let long = list
        .iter()
        .find(|status| status.id == bench.id("long"))
        .expect("it");
    assert_eq!((&long.state, long.pid), (&State::Running, pid));
    bench
        .runtime
        .start(&bench.id("waiting"))
        .await
        .expect("created by one, started by the other");
    assert_eq!(
        bench
            .runtime
            .wait(&bench.id("waiting"))
            .await
            .expect("an exit")
            .code,
        0
    );
    assert_eq!(
        bench
            .runtime
            .wait(&bench.id("short"))
            .await
            .expect("an exit")
            .code,
        6
    );
    until("it printed", async || {
        bench
            .output(&bench.id("long"), Stream::Stdout)
            .await
            .contains("one")
    })
    .await;
    bench.runtime.signal(&bench.id("long"), 10).await.expect("sent");
    assert_eq!(
        bench.runtime.wait(&bench.id("long")).await.expect("an exit").code,
        4
    );
    assert_eq!(
        bench.output(&bench.id("long"), Stream::Stdout).await,
        "one\ntwo\n"
    );
    bench.finish().await;
}

#[tokio::test]
async fn an_exit_that_nobody_watched_is_on_record() {
    let mut bench = Bench::new().await;
    bench
        .start(bench.script("unwatched", "sleep 0.1; echo done; exit 9"))
        .await;
    let options = bench.options.clone();
    let record = bench.container_dir("unwatched").join("exit.json");
    until("the record is there", async || record.exists()).await;
    bench.runtime = Runtime::open(options).await.expect("reopened");
    let exit = bench.runtime.wait(&bench.id("unwatched")).await.expect("an exit");
    assert_eq!((exit.code, exit.reason), (9, None));
    bench.finish().await;
}

#[tokio::test]
async fn a_daemon_killed_with_its_whole_process_group_takes_no_container_along() {
    let bench = Bench::new().await;
    let mut daemon = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_daemon_to_be_killed", "--ignored"])
        .env("RS_STATE", &bench.options.state_dir)
        .env("RS_INSTANCE", bench.options.instance.as_str())
        .env("RS_IMAGE", &bench.rootfs)
        .process_group(0)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a daemon");
    let id = bench.id("orphan");
    let running = async || {
        bench
            .runtime
            .status(&id)
            .await
            .is_ok_and(|found| found.is_some_and(|status| status.state == State::Running))
    };
    until("the daemon has started it", running).await;
    until("the trap is set", async || {
        bench.output(&id, Stream::Stdout).await == "up\n"
    })
    .await;
    let group = nix::unistd::Pid::from_raw(-(daemon.id() as i32));
    nix::sys::signal::kill(group, nix::sys::signal::Signal::SIGKILL).expect("killed");
    daemon.wait().expect("reaped");
    assert!(running().await, "it goes on");
    bench.runtime.signal(&id, 10).await.expect("sent");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 5);
    assert_eq!(bench.output(&id, Stream::Stdout).await, "up\nbye\n");
    bench.finish().await;
}

#[tokio::test]
#[ignore = "run by the test above, as a process of its own"]
async fn a_daemon_to_be_killed() {
    let setting = |name: &str| std::env::var(name).expect("set by the test above");
    let mut options = Options::new(
        setting("RS_INSTANCE").parse().expect("an id"),
        setting("RS_STATE"),
    );
    options.shim_exe = env!("CARGO_BIN_EXE_rs-shim").into();
    let runtime = Runtime::open(options).await.expect("a runtime");
    let script = "trap 'echo bye; exit 5' USR1; echo up; while :; do sleep 0.05; done";
    let args = ["sh", "-c", script].map(str::to_owned).to_vec();
    let root = roadstead_runtime::Root::Overlay {
        lower: vec![setting("RS_IMAGE").into()],
        writable: None,
    };
    let process = Process::Command(Command {
        args,
        ..Command::default()
    });
    let spec = ContainerSpec::new("orphan".parse().expect("an id"), root, process);
    let id = spec.id.clone();
    runtime.create(spec).await.expect("created");
    runtime.start(&id).await.expect("started");
    // Killed long before; if the other test has failed, this ends too.
    tokio::time::sleep(std::time::Duration::from_secs(300)).await;
}

#[tokio::test]
async fn a_shim_stands_apart_from_the_daemon() {
    let bench = Bench::new().await;
    bench.start(bench.spec("c", &["sleep", "100"])).await;
    let pid = shim(&bench, "c");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let session: i32 = stat
        .rsplit_once(')')
        .expect("a name")
        .1
        .split(' ')
        .nth(4)
        .expect("a session")
        .parse()
        .expect("a number");
    assert_eq!(session, pid, "a session of its own");
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("groups");
    let own = fs::read_to_string("/proc/self/cgroup").expect("groups");
    for line in groups.lines() {
        let theirs = line.splitn(3, ':').nth(2).expect("a path");
        let shared = own.lines().any(|ours| ours == line);
        assert!(
            theirs == "/" || !shared || line.contains("cpuset"),
            "in the daemon's group: {line}"
        );
    }
    let links = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("descriptors")
        .flatten();
    let open: Vec<_> = links.filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    let foreign = |path: &&std::path::PathBuf| {
        let text = path.to_string_lossy();
        text.starts_with('/') && !text.starts_with("/dev/null") && !text.contains("/c/")
    };
    assert!(open.iter().find(foreign).is_none() && open.len() < 16, "{open:?}");
    // A signal meant for the daemon's process group or name does not end it.
    for signal in ["-TERM", "-INT", "-HUP"] {
        let sent = std::process::Command::new("kill")
            .args([signal, &pid.to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
    }
    bench
        .runtime
        .signal(&bench.id("c"), 9)
        .await
        .expect("it still listens");
    assert_eq!(
        bench.runtime.wait(&bench.id("c")).await.expect("an exit").code,
        137
    );
    bench.finish().await;
}

#[tokio::test]
async fn killing_a_shim_ends_its_container_with_a_reason() {
    let bench = Bench::new().await;
    let id = bench.id("c");
    let pid = bench
        .start(bench.script("c", "trap '' TERM; sleep 1000 & wait"))
        .await;
    let waiting = {
        let (runtime, id) = (bench.runtime.clone(), id.clone());
        tokio::spawn(async move { runtime.wait(&id).await })
    };
    tokio::task::yield_now().await;
    kill(shim(&bench, "c"));
    let exit = waiting.await.expect("no panic").expect("an exit");
    assert_eq!((exit.code, exit.oom_killed), (137, false));
    assert!(
        exit.reason
            .as_deref()
            .is_some_and(|reason| reason.contains("shim")),
        "{exit:?}"
    );
    assert_eq!(bench.runtime.wait(&id).await.expect("the same again"), exit);
    assert!(!std::path::Path::new(&format!("/proc/{pid}/ns")).exists() || zombie(pid));
    // One that was created only.
    let created = bench
        .runtime
        .create(bench.spec("d", &["true"]))
        .await
        .expect("created");
    kill(shim(&bench, "d"));
    until("the waiting process is gone", async || {
        !std::path::Path::new(&format!("/proc/{}", created.pid)).exists() || zombie(created.pid)
    })
    .await;
    assert!(matches!(
        bench.runtime.start(&bench.id("d")).await,
        Err(Error::NotRunning(_))
    ));
    bench.finish().await;
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
        .expect("killed");
}

fn zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn a_running_container_can_be_deleted_and_nothing_stays() {
    let bench = Bench::new().await;
    let id = bench.id("c");
    bench
        .start(bench.script("c", "trap '' TERM; sleep 1000 & sleep 1000 & wait"))
        .await;
    bench.runtime.delete(&id).await.expect("deleted");
    assert!(!bench.container_dir("c").exists() && !bench.cgroup("memory", "c").exists());
    assert!(matches!(bench.runtime.wait(&id).await, Err(Error::NotFound(_))));
    // Its name is free again.
    assert_eq!(bench.run(bench.spec("c", &["true"])).await.0.code, 0);
    bench.finish().await;
}

#[tokio::test]
async fn a_creation_that_fails_leaves_nothing() {
    let bench = Bench::new().await;
    let mut missing_layer = bench.spec("a", &["true"]);
    missing_layer.root = roadstead_runtime::Root::Overlay {
        lower: vec!["/no/such/layer".into()],
        writable: None,
    };
    let mut wrong_place = bench.spec("b", &["true"]);
    wrong_place.mounts.push(roadstead_runtime::Mount {
        kind: roadstead_runtime::MountKind::Bind {
            source: bench.rootfs.clone(),
        },
        target: "/bin/busybox/below-a-file".into(),
        read_only: false,
    });
    let mut no_namespace = bench.spec("c", &["true"]);
    no_namespace.network = roadstead_runtime::Net::Join("/no/such/namespace".into());
    for (spec, expected) in [
        (missing_layer, "/no/such/layer"),
        (wrong_place, ""),
        (no_namespace, "namespace"),
    ] {
        let id = spec.id.clone();
        let message = bench
            .runtime
            .create(spec)
            .await
            .expect_err("it cannot be")
            .to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!bench.container_dir(id.as_str()).exists() && !bench.cgroup("memory", id.as_str()).exists());
    }
    bench.finish().await;
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_the_rest_is_not() {
    let bench = Bench::new().await;
    let pid = bench.start(bench.spec("healthy", &["sleep", "100"])).await;
    // A directory without a plan, one with a plan only, one on its way out, groups without containers.
    fs::create_dir(bench.container_dir("empty")).expect("a directory");
    fs::create_dir(bench.container_dir("planned")).expect("a directory");
    let plan = bench.container_dir("healthy").join("plan.json");
    fs::copy(&plan, bench.container_dir("planned").join("plan.json")).expect("a plan");
    let text = fs::read_to_string(&plan)
        .expect("a plan")
        .replace("c-healthy", "c-planned");
    fs::write(bench.container_dir("planned").join("plan.json"), text).expect("a plan");
    fs::create_dir(bench.options.state_dir.join(".gone-x")).expect("a directory");
    for (controller, group) in [
        ("memory", "c-lost"),
        ("pids", "c-planned"),
        ("pids", "g-task/c-lost"),
    ] {
        let base = std::path::Path::new("/sys/fs/cgroup")
            .join(controller)
            .join(&bench.options.cgroup_parent);
        fs::create_dir_all(base.join(group)).expect("a group");
    }
    bench.runtime.reap_strays().await.expect("reaped");
    assert!(!bench.cgroup("memory", "lost").exists() && !bench.cgroup("pids", "planned").exists());
    let left = fs::read_dir(&bench.options.state_dir)
        .expect("a directory")
        .count();
    assert_eq!(left, 1);
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(
        bench.runtime.list().await.expect("a list")[0].state,
        State::Running
    );
    // State that a newer version wrote is not touched.
    fs::create_dir(bench.container_dir("newer")).expect("a directory");
    fs::write(
        bench.container_dir("newer").join("plan.json"),
        r#"{"version":99}"#,
    )
    .expect("a plan");
    bench.runtime.reap_strays().await.expect("reaped");
    assert!(bench.container_dir("newer").exists());
    bench.finish().await;
}

/// A shim may hang while it makes its container, as when what it waits for was killed. The next daemon's start must
/// not wait for it as for one that ends a container in order.
#[tokio::test]
async fn a_shim_that_hangs_before_its_container_is_there_holds_up_no_start() {
    let bench = Bench::new().await;
    bench.start(bench.spec("healthy", &["sleep", "100"])).await;
    let dir = bench.container_dir("deaf");
    fs::create_dir(&dir).expect("a directory");
    let plan = fs::read_to_string(bench.container_dir("healthy").join("plan.json")).expect("a plan");
    fs::write(dir.join("plan.json"), plan.replace("c-healthy", "c-deaf")).expect("a plan");
    // It takes connections and answers nothing.
    let handle = fs::File::open(&dir).expect("the directory");
    let socket = format!("/proc/self/fd/{}/ctl", std::os::fd::AsRawFd::as_raw_fd(&handle));
    let listener = std::os::unix::net::UnixListener::bind(socket).expect("a socket");
    let reaped = tokio::time::timeout(std::time::Duration::from_secs(15), bench.runtime.reap_strays());
    reaped.await.expect("in time").expect("reaped");
    assert!(!dir.exists());
    drop(listener);
    bench.finish().await;
}

/// What a killed shim had forked must not make control groups for a container that is gone.
#[tokio::test]
async fn what_a_killed_shim_had_begun_ends_with_it() {
    use std::os::unix::process::CommandExt as _;
    let bench = Bench::new().await;
    let healthy = bench.start(bench.spec("healthy", &["sleep", "100"])).await;
    // A script in the place of the forked shim: its first argument is the container's directory, as the shim's is.
    let gone = bench.options.state_dir.join(".begun");
    fs::write(&gone, "sleep 100 & wait\n").expect("a script");
    let mut orphan = std::process::Command::new("/bin/sh")
        .arg0("rs-shim")
        .arg(&gone)
        .spawn()
        .expect("a process");
    for controller in fs::read_dir("/sys/fs/cgroup").expect("groups").flatten() {
        let shims = controller
            .path()
            .join(&bench.options.cgroup_parent)
            .join("shims/cgroup.procs");
        if shims.exists() {
            fs::write(shims, orphan.id().to_string()).expect("moved");
        }
    }
    let begin = std::time::Instant::now();
    while !fs::read_to_string(format!("/proc/{}/cmdline", orphan.id()))
        .is_ok_and(|line| line.starts_with("rs-shim"))
    {
        assert!(begin.elapsed().as_secs() < 120, "it begins");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    bench.runtime.reap_strays().await.expect("reaped");
    let ended = orphan.try_wait().expect("asked");
    assert!(ended.is_some(), "it was ended");
    let _ = fs::remove_file(&gone);
    assert!(std::path::Path::new(&format!("/proc/{healthy}")).exists());
    bench.finish().await;
}
