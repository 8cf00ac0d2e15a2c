//! Other programs in a running container: as its own would run, and gone when nobody wants them any more.

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use roadstead_runtime::{Capabilities, Command, Error, ExecSpec, ExecStreams, Process};
use support::Bench;

const PATIENCE: Duration = Duration::from_secs(120);

fn script(text: &str) -> ExecSpec {
    ExecSpec {
        args: ["sh", "-c", text].map(String::from).to_vec(),
        ..ExecSpec::default()
    }
}

async fn check(bench: &Bench, id: &str, spec: &ExecSpec, code: i32, expected: &str) {
    let execution = bench.runtime.exec(&bench.id(id), spec).await.expect("runs");
    let output = execution.collect(100_000, PATIENCE).await.expect("collected");
    let text = String::from_utf8_lossy(&output.output).into_owned();
    assert_eq!((output.code, text.trim()), (Some(code), expected), "{spec:?}");
}

#[tokio::test]
async fn a_program_runs_as_the_containers_own_would() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("web", &["sleep", "1000"]);
    if let Process::Command(Command { env, user, cwd, .. }) = &mut spec.process {
        env.push(("COLOUR".into(), "blue".into()));
        *user = Some("web".into());
        *cwd = Some("/data".into());
    }
    spec.hostname = Some("harbour".into());
    spec.capabilities = Capabilities {
        add: Vec::new(),
        drop: vec!["ALL".into()],
    };
    spec.no_new_privileges = true;
    spec.oom_score_adj = 77;
    spec.resources.pids_limit = Some(20);
    let first = bench.start(spec).await;
    let own = "id -un; id -gn; pwd; echo $COLOUR $HOME; hostname; cat /data/seed; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | cut -f2; \
        cat /proc/self/oom_score_adj; ps -o comm | grep -c '^sleep'; cat /proc/1/comm";
    check(
        &bench,
        "web",
        &script(own),
        0,
        "web\nweb\n/data\nblue /data\nharbour\nfrom the image\n0000000000000000\n1\n2\n77\n1\nsleep",
    )
    .await;
    // In the same group and namespaces.
    let running = bench
        .runtime
        .exec(&bench.id("web"), &script("exec sleep 1000"))
        .await
        .expect("runs");
    let procs = std::fs::read_to_string(format!("/proc/{}/cgroup", running.pid)).expect("groups");
    assert_eq!(
        procs,
        std::fs::read_to_string(format!("/proc/{first}/cgroup")).expect("groups")
    );
    for kind in ["mnt", "pid", "net", "ipc", "uts"] {
        let of = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a namespace");
        assert_eq!(of(running.pid), of(first), "{kind}");
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", running.pid))
        .expect("descriptors")
        .count();
    assert_eq!(open, 3, "nothing but its streams");
    running.kill().await.expect("killed");
    assert_eq!(running.wait().await.expect("ended"), 137);
    bench.finish().await;
}

#[tokio::test]
async fn user_directory_and_environment_can_be_others() {
    let bench = Bench::new().await;
    bench.start(bench.spec("web", &["sleep", "1000"])).await;
    let mut spec = script("id -u; id -G; pwd; echo $A-$PATH; exit 9");
    spec.user = Some("web".into());
    spec.cwd = Some("/tmp".into());
    spec.env = vec![("A".into(), "1".into()), ("PATH".into(), "/bin".into())];
    check(&bench, "web", &spec, 9, "101\n102 50\n/tmp\n1-/bin").await;
    // Streams are three, and stdin is the caller's.
    let execution = bench
        .runtime
        .exec(&bench.id("web"), &script("cat; echo err >&2"))
        .await
        .expect("runs");
    assert!(execution.pid > 0);
    let mut execution = execution;
    let streams = std::mem::replace(
        &mut execution.streams,
        ExecStreams::Terminal(std::fs::File::open("/dev/null").expect("null").into()),
    );
    let ExecStreams::Pipes {
        input,
        output,
        errors,
    } = streams
    else {
        panic!("pipes")
    };
    std::fs::File::from(input).write_all(b"hello").expect("written");
    assert_eq!(execution.wait().await.expect("ended"), 0);
    let read = |fd: std::os::fd::OwnedFd| {
        let mut text = String::new();
        std::fs::File::from(fd).read_to_string(&mut text).expect("read");
        text
    };
    assert_eq!((read(output).as_str(), read(errors).as_str()), ("hello", "err\n"));
    bench.finish().await;
}

#[tokio::test]
async fn what_cannot_run_is_said_in_words() {
    let bench = Bench::new().await;
    let web = bench.id("web");
    assert!(matches!(
        bench.runtime.exec(&web, &script("true")).await,
        Err(Error::NotFound(_))
    ));
    bench
        .runtime
        .create(bench.spec("web", &["sleep", "1000"]))
        .await
        .expect("created");
    assert!(matches!(
        bench.runtime.exec(&web, &script("true")).await,
        Err(Error::NotRunning(_))
    ));
    bench.runtime.start(&web).await.expect("started");
    let message = async |spec: ExecSpec| match bench.runtime.exec(&web, &spec).await {
        Err(Error::Start { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    let with = |args: &str, user: Option<&str>, cwd: Option<&str>| ExecSpec {
        args: vec![args.into()],
        user: user.map(String::from),
        cwd: cwd.map(Into::into),
        ..ExecSpec::default()
    };
    assert_eq!(
        message(with("nope", None, None)).await,
        "exec: \"nope\": executable file not found in $PATH"
    );
    assert!(
        message(with("true", Some("nobody"), None))
            .await
            .contains("unable to find user nobody")
    );
    assert!(
        message(with("true", None, Some("/none")))
            .await
            .contains("working directory /none")
    );
    // A directory of the host's that the helper might still have open is not a way out.
    assert!(
        message(with("true", None, Some("/proc/self/fd/4")))
            .await
            .contains("working directory")
    );
    assert!(matches!(
        bench.runtime.exec(&web, &with("", None, None)).await,
        Err(Error::Invalid { member: "exec", .. })
    ));
    bench.runtime.freeze(&web).await.expect("frozen");
    assert!(matches!(
        bench.runtime.exec(&web, &script("true")).await,
        Err(Error::Invalid { member: "exec", .. })
    ));
    bench.runtime.thaw(&web).await.expect("thawed");
    check(&bench, "web", &script("echo back"), 0, "back").await;
    bench.finish().await;
}

#[tokio::test]
async fn a_terminal_is_one_and_knows_its_size() {
    let bench = Bench::new().await;
    bench.start(bench.spec("web", &["sleep", "1000"])).await;
    let mut spec = script(
        "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; echo $TERM; read line; stty size; echo got $line",
    );
    spec.tty = true;
    let execution = bench.runtime.exec(&bench.id("web"), &spec).await.expect("runs");
    execution.resize(33, 111).expect("resized");
    let ExecStreams::Terminal(terminal) = &execution.streams else {
        panic!("a terminal")
    };
    std::fs::File::from(terminal.try_clone().expect("a copy"))
        .write_all(b"typed\n")
        .expect("written");
    assert_eq!(execution.wait().await.expect("ended"), 0);
    let mut text = Vec::new();
    // Ends with an error once nobody has the other side open.
    let _ = std::fs::File::from(terminal.try_clone().expect("a copy")).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    let lines: Vec<_> = text.lines().filter(|line| *line != "typed").collect();
    assert_eq!(
        lines,
        ["/dev/pts/0", "terminal", "xterm", "33 111", "got typed"],
        "{text:?}"
    );
    bench.finish().await;
}

#[tokio::test]
async fn output_and_time_are_bounded_and_what_nobody_waits_for_ends() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("web", &["sleep", "1000"]);
    // Somebody has to reap what killed programs leave behind.
    spec.init = true;
    bench.start(spec).await;
    let web = bench.id("web");
    let execution = bench
        .runtime
        .exec(&web, &script("yes | head -c 300000; exit 3"))
        .await
        .expect("runs");
    let output = execution.collect(4096, PATIENCE).await.expect("collected");
    assert_eq!((output.code, output.output.len()), (Some(3), 4096));
    // Killed with what it started.
    let execution = bench
        .runtime
        .exec(&web, &script("echo begun; sleep 500 & sleep 500"))
        .await
        .expect("runs");
    let output = execution
        .collect(4096, Duration::from_millis(500))
        .await
        .expect("collected");
    assert_eq!((output.code, output.output.as_slice()), (None, &b"begun\n"[..]));
    let execution = bench
        .runtime
        .exec(&web, &script("exec sleep 600"))
        .await
        .expect("runs");
    drop(execution);
    support::until("only init and its program are left", async || {
        bench.runtime.usage(&web).await.expect("usage").processes == Some(2)
    })
    .await;
    // It ends with its container.
    let execution = bench
        .runtime
        .exec(&web, &script("exec sleep 700"))
        .await
        .expect("runs");
    bench.runtime.kill(&web).await.expect("killed");
    assert_eq!(execution.wait().await.expect("ended"), 137);
    bench.finish().await;
}
