//! Programs run as they were asked to, and their ends are told.

mod support;

use roadstead_runtime::{Command, Process, State, Stream};
use support::Bench;

fn command(spec: &mut roadstead_runtime::ContainerSpec) -> &mut Command {
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
