//! Runs containers when told to, and says how long each step took: the runtime's side of
//! `cargo xtask perf container`, which has the references beside it.
//!
//! A line `run`, `unconfined` or `pause` on stdin is one container; answered with microseconds from the beginning
//! until it was created, its program ran, its end was told, and it was deleted. `memory` tells what an idle shim
//! and a pause process take. As root: `start BUNDLE`, where BUNDLE/rootfs is the root file system.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use roadstead_runtime::{Command, ContainerSpec, Options, Process, Root, Runtime, Seccomp};

fn main() {
    roadstead_runtime::shim_main_if_asked();
    let bundle: PathBuf = std::env::args_os().nth(1).expect("usage: start BUNDLE").into();
    let executor = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("an executor");
    executor.block_on(serve(&bundle));
}

async fn serve(bundle: &Path) {
    let instance = format!("b{:x}", std::process::id() & 0xff_ffff)
        .parse()
        .expect("an id");
    let runtime = Runtime::open(Options::new(instance, bundle.join("state")))
        .await
        .expect("a runtime");
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.expect("a line");
        let answer = match line.as_str() {
            "memory" => memory(&runtime, bundle).await,
            "run" | "unconfined" | "pause" => one(&runtime, bundle, number, &line).await,
            other => panic!("{other:?} is not known"),
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}").expect("somebody who listens");
        stdout.flush().expect("somebody who listens");
    }
    runtime.destroy().await.expect("destroyed");
}

async fn one(runtime: &Runtime, bundle: &Path, number: usize, what: &str) -> String {
    let id: roadstead_runtime::ContainerId = format!("c{number}").parse().expect("an id");
    let mut spec = if what == "pause" {
        ContainerSpec::new(id.clone(), Root::Empty, Process::Pause)
    } else {
        let command = Command {
            args: vec!["/bin/true".into()],
            ..Command::default()
        };
        let root = Root::Overlay {
            lower: vec![bundle.join("rootfs")],
            writable: None,
        };
        ContainerSpec::new(id.clone(), root, Process::Command(command))
    };
    if what == "unconfined" {
        spec.seccomp = Seccomp::Unconfined;
    }
    let begin = Instant::now();
    let mut times = Vec::with_capacity(4);
    runtime.create(spec).await.expect("created");
    times.push(begin.elapsed());
    runtime.start(&id).await.expect("started");
    times.push(begin.elapsed());
    if what == "pause" {
        runtime.signal(&id, 15).await.expect("sent");
    }
    let exit = runtime.wait(&id).await.expect("an exit");
    assert_eq!(exit.code, 0, "{exit:?}");
    times.push(begin.elapsed());
    runtime.delete(&id).await.expect("deleted");
    times.push(begin.elapsed());
    let times: Vec<_> = times.iter().map(|time| time.as_micros().to_string()).collect();
    times.join(" ")
}

async fn memory(runtime: &Runtime, bundle: &Path) -> String {
    let id: roadstead_runtime::ContainerId = "idle".parse().expect("an id");
    runtime
        .create(ContainerSpec::new(id.clone(), Root::Empty, Process::Pause))
        .await
        .expect("created");
    let first = runtime.start(&id).await.expect("started").pid;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let shim = std::fs::read_to_string(bundle.join("state/idle/shim.json")).expect("a shim");
    let shim = shim
        .split("\"pid\":")
        .nth(1)
        .and_then(|rest| rest.split([',', '}']).next())
        .expect("a pid");
    let answer = format!("{} {}", pss(shim), pss(&first.to_string()));
    runtime.delete(&id).await.expect("deleted");
    answer
}

/// Kilobytes that a process takes, shared pages by their share.
fn pss(pid: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
