//! Programs run as they were asked to, and their ends are told.

mod support;

use std::os::unix::fs::PermissionsExt;

use roadstead_runtime::{Command, ContainerSpec, Error, Process, State, Stream};
use support::Bench;

fn command(spec: &mut ContainerSpec) -> &mut Command {
    match &mut spec.process {
        Process::Command(command) => command,
        Process::Pause => panic!("a command"),
    }
}

#[tokio::test]
async fn exit_codes_and_output_are_told() {
    let bench = Bench::new().await;
    let (exit, out) = bench
        .run(bench.script("a", "echo out; echo err >&2; exit 7"))
        .await;
    assert_eq!(
        (exit.code, exit.oom_killed, exit.reason, &*out),
        (7, false, None, "out\n")
    );
    assert_eq!(bench.output(&bench.id("a"), Stream::Stderr).await, "err\n");
    assert_eq!(bench.run(bench.spec("b", &["true"])).await.0.code, 0);
    // An end by a signal, and one that the shell passes on.
    assert_eq!(
        bench
            .run(bench.script("c", "sh -c 'kill -9 $$'; exit $?"))
            .await
            .0
            .code,
        137
    );
    bench.finish().await;
}

#[tokio::test]
async fn signals_arrive_and_a_killed_program_counts_as_128_and_the_signal() {
    let bench = Bench::new().await;
    let id = bench.id("trap");
    bench
        .start(bench.script(
            "trap",
            "trap 'echo got it; exit 3' TERM; echo up; while :; do sleep 0.05; done",
        ))
        .await;
    support::until("the trap is set", async || {
        bench.output(&id, Stream::Stdout).await.contains("up")
    })
    .await;
    bench.runtime.signal(&id, 15).await.expect("sent");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 3);
    assert_eq!(bench.output(&id, Stream::Stdout).await, "up\ngot it\n");
    assert!(matches!(
        bench.runtime.signal(&id, 15).await,
        Err(Error::NotRunning(_))
    ));

    let id = bench.id("deaf");
    bench.start(bench.spec("deaf", &["sleep", "100"])).await;
    bench.runtime.signal(&id, 9).await.expect("sent");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
    assert!(
        bench
            .runtime
            .signal(&bench.id("none"), 9)
            .await
            .is_err_and(|err| matches!(err, Error::NotFound(_)))
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_program_that_cannot_run_is_refused_in_words() {
    let bench = Bench::new().await;
    std::fs::write(bench.rootfs.join("bin/plain"), "no program").expect("a file");
    std::fs::write(bench.rootfs.join("bin/script"), "#!/no/such/shell\n").expect("a file");
    std::fs::write(bench.rootfs.join("bin/garbage"), "\x01\x02").expect("a file");
    for name in ["script", "garbage"] {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bench.rootfs.join("bin").join(name), mode).expect("a mode");
    }
    let cases: [(&str, i32, &str); 7] = [
        ("/nope", 127, "exec: \"/nope\": no such file or directory"),
        ("nope", 127, "exec: \"nope\": executable file not found in $PATH"),
        ("/bin/plain", 126, "exec: \"/bin/plain\": permission denied"),
        ("plain", 126, "exec: \"plain\": permission denied"),
        ("/tmp", 126, "exec: \"/tmp\": permission denied"),
        ("/bin/script", 127, "exec: \"/bin/script\": its interpreter"),
        ("/bin/garbage", 126, "exec: \"/bin/garbage\": exec format error"),
    ];
    for (index, (program, code, expected)) in cases.into_iter().enumerate() {
        let spec = bench.spec(&format!("c{index}"), &[program]);
        let id = spec.id.clone();
        bench.runtime.create(spec).await.expect("created");
        let message = match bench.runtime.start(&id).await {
            Err(Error::Start { message, .. }) => message,
            other => panic!("{program}: {other:?}"),
        };
        assert!(message.starts_with(expected), "{message}");
        let exit = bench.runtime.wait(&id).await.expect("an exit");
        assert_eq!(
            (exit.code, exit.reason.as_deref()),
            (code, Some(&*message)),
            "{program}"
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn the_process_has_the_environment_directory_and_user_asked_for() {
    let bench = Bench::new().await;
    let mut spec = bench.script("env", "env | sort; pwd; id; cat /proc/self/status | grep Groups");
    spec.hostname = Some("harbour".into());
    let process = command(&mut spec);
    process.env = vec![("B".into(), "two words".into()), ("A".into(), "1".into())];
    process.cwd = Some("/made/for/it".into());
    process.user = Some("web".into());
    process.groups = vec!["77".into()];
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let expected = format!(
        "A=1\nB=two words\nHOME=/data\nHOSTNAME=harbour\n{path}\nPWD=/made/for/it\nSHLVL=1\n/made/for/it\n\
         uid=101(web) gid=102(web) groups=50(staff),77\nGroups:\t50 77"
    );
    let (exit, out) = bench.run(spec).await;
    assert_eq!(exit.code, 0);
    let squeezed = out
        .trim()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(squeezed, expected);

    let mut unknown = bench.spec("who", &["true"]);
    command(&mut unknown).user = Some("nobody".into());
    let refused = bench
        .runtime
        .create(unknown)
        .await
        .expect_err("no such user")
        .to_string();
    assert!(refused.contains("unable to find user nobody"), "{refused}");
    assert!(
        !bench.container_dir("who").exists(),
        "a failed creation leaves nothing"
    );

    // The caller's own groups do not leak in.
    bench
        .check(bench.script("root", "grep Groups /proc/self/status"), "Groups:")
        .await;
    bench.finish().await;
}

#[tokio::test]
async fn a_user_who_is_not_root_can_write_to_its_standard_streams_by_name() {
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "streams",
        "echo a > /dev/stdout; echo b > /dev/stderr; hostname > /dev/null; id -u",
    );
    command(&mut spec).user = Some("web".into());
    bench.check(spec, "a\n101").await;
    bench.finish().await;
}

#[tokio::test]
async fn states_are_listed_with_labels() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("one", &["sleep", "100"]);
    spec.labels.insert("task".into(), "t1".into());
    let pid = bench.runtime.create(spec.clone()).await.expect("created").pid;
    assert!(matches!(bench.runtime.create(spec).await, Err(Error::Exists(_))));
    let only = async || bench.runtime.list().await.expect("a list").pop().expect("one");
    assert_eq!((only().await.state, only().await.pid), (State::Created, pid));
    assert_eq!(only().await.labels.get("task").map(String::as_str), Some("t1"));

    let id = bench.id("one");
    let started = bench.runtime.start(&id).await.expect("started");
    assert_eq!(
        started,
        bench
            .runtime
            .start(&id)
            .await
            .expect("started twice is started once")
    );
    assert_eq!(
        (only().await.state, only().await.started_at),
        (State::Running, Some(started.at))
    );
    let usage = bench.runtime.usage(&id).await.expect("usage");
    assert_eq!(usage.processes, Some(1));
    assert!(usage.cpu_nanos.is_some() && usage.memory_bytes.is_some());

    bench.runtime.kill(&id).await.expect("killed");
    let exit = bench.runtime.wait(&id).await.expect("an exit");
    assert_eq!(only().await.state, State::Exited(exit));
    bench.runtime.kill(&id).await.expect("killing twice is no error");
    bench.runtime.delete(&id).await.expect("deleted");
    bench
        .runtime
        .delete(&id)
        .await
        .expect("deleting twice is no error");
    assert!(bench.runtime.list().await.expect("a list").is_empty());
    bench.finish().await;
}
