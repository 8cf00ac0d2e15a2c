//! How long a container takes: medians in milliseconds beside the same work by `runc`, in the same run.
//!
//! `cargo run --release -p roadstead-runtime --example start [rounds] [idle-ms]`, as root.

use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::{Duration, Instant};

use roadstead_runtime::{Command, ContainerSpec, Options, Process, Root, Runtime};

fn main() {
    roadstead_runtime::shim_main_if_asked();
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, idle) = (number(30), Duration::from_millis(number(0)));
    let executor = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("an executor");
    executor.block_on(measure(rounds, idle));
}

async fn measure(rounds: u64, idle: Duration) {
    let dir = tempfile::tempdir().expect("a directory");
    let image = dir.path().join("image");
    make_image(&image);
    let instance = format!("b{:x}", std::process::id() & 0xff_ffff)
        .parse()
        .expect("an id");
    let runtime = Runtime::open(Options::new(instance, dir.path().join("state")))
        .await
        .expect("a runtime");
    let (mut create, mut exec, mut exit, mut delete, mut pause, mut runc) = (
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
    );
    for round in 0..rounds {
        tokio::time::sleep(idle).await;
        let id = format!("c{round}").parse().expect("an id");
        let command = Command {
            args: vec!["/bin/true".into()],
            ..Command::default()
        };
        let root = Root::Overlay {
            lower: vec![image.clone()],
        };
        let begin = Instant::now();
        runtime
            .create(ContainerSpec::new(id, root, Process::Command(command)))
            .await
            .expect("created");
        create.push(begin.elapsed());
        let id = format!("c{round}").parse().expect("an id");
        runtime.start(&id).await.expect("started");
        exec.push(begin.elapsed());
        runtime.wait(&id).await.expect("an exit");
        exit.push(begin.elapsed());
        let begin = Instant::now();
        runtime.delete(&id).await.expect("deleted");
        delete.push(begin.elapsed());

        tokio::time::sleep(idle).await;
        let id = format!("p{round}").parse().expect("an id");
        let begin = Instant::now();
        runtime
            .create(ContainerSpec::new(id, Root::Empty, Process::Pause))
            .await
            .expect("created");
        let id = format!("p{round}").parse().expect("an id");
        runtime.start(&id).await.expect("started");
        pause.push(begin.elapsed());
        runtime.delete(&id).await.expect("deleted");

        tokio::time::sleep(idle).await;
        let begin = Instant::now();
        let ran = Program::new("runc")
            .args(["run", "--bundle"])
            .arg(dir.path())
            .arg(format!("rs-bench-{}-{round}", std::process::id()))
            .stdin(Stdio::null())
            .status();
        assert!(
            ran.is_ok_and(|status| status.success()),
            "runc is needed for the comparison"
        );
        runc.push(begin.elapsed());
    }
    let id = "idle".parse().expect("an id");
    runtime
        .create(ContainerSpec::new(id, Root::Empty, Process::Pause))
        .await
        .expect("created");
    let first = runtime
        .start(&"idle".parse().expect("an id"))
        .await
        .expect("started")
        .pid;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let shim = std::fs::read_to_string(dir.path().join("state/idle/shim.json")).expect("a shim");
    let shim = shim
        .split("\"pid\":")
        .nth(1)
        .and_then(|rest| rest.split([',', '}']).next())
        .expect("a pid");
    println!(
        "memory (PSS): idle shim {}, pause process {}",
        pss(shim),
        pss(&first.to_string())
    );
    runtime.destroy().await.expect("destroyed");
    println!("medians of {rounds}, {idle:?} idle between, in ms");
    for (what, times) in [
        ("create", &mut create),
        ("create to exec", &mut exec),
        ("create to exit told", &mut exit),
        ("delete", &mut delete),
        ("pause: create to running", &mut pause),
        ("runc run (whole command)", &mut runc),
    ] {
        times.sort();
        println!("{what:>26} {:8.2}", times[times.len() / 2].as_secs_f64() * 1e3);
    }
}

/// A busybox root file system, and a bundle for runc around it.
fn make_image(image: &Path) {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists());
    let busybox = busybox.expect("busybox is missing: apt-get install busybox-static");
    std::fs::create_dir_all(image.join("bin")).expect("a directory");
    std::fs::copy(busybox, image.join("bin/true")).expect("busybox");
    let bundle = image.parent().expect("a parent");
    let made = Program::new("runc")
        .args(["spec", "--bundle"])
        .arg(bundle)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "runc is needed for the comparison"
    );
    let config = std::fs::read_to_string(bundle.join("config.json")).expect("a spec");
    let config = config
        .replace("\"terminal\": true", "\"terminal\": false")
        .replace("\"sh\"", "\"/bin/true\"")
        .replace("\"path\": \"rootfs\"", "\"path\": \"image\"");
    std::fs::write(bundle.join("config.json"), config).expect("a spec");
}

/// What a process costs in memory, shared pages by their share.
fn pss(pid: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .unwrap_or("unknown");
    line.trim().to_owned()
}
