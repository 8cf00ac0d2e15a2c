//! Functions of shell scripts, in environments of their own for each test, and the proof at the end that nothing is left.
#![allow(dead_code)]

pub(crate) mod images;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use roadstead_base::SystemClock;
use roadstead_functions::{
    Architecture, BoxFuture, Content, Credentials, Ending, Host, HostError, Invocation, LogLine, Outcome,
    Package, Sandboxes as _, Spec, Zip,
};
use roadstead_image::PullBehaviour;
use roadstead_runtime::Runtime;
use roadstead_sandbox::{Kind, Node, Options, Supply, install};

/// Shell functions that a bootstrap of a test begins with: `next` sets `id` and `event`, `answer` and `fail` answer.
pub(crate) const PRELUDE: &str = r#"#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
next() { event=$(curl -sS -D /tmp/.head $api/invocation/next); id=$(tr -d '\r' < /tmp/.head | sed -n 's/^lambda-runtime-aws-request-id: //Ip'); }
answer() { curl -sS -o /dev/null -X POST -d "$1" $api/invocation/$id/response; }
fail() { curl -sS -o /dev/null -X POST -d "$1" $api/invocation/$id/error; }
"#;

/// Remembers what was logged, by stream.
#[derive(Default)]
pub(crate) struct Service {
    logged: Mutex<Vec<(String, String)>>,
    pub(crate) refusing: Mutex<Option<String>>,
    pub(crate) keys_last: Mutex<Option<i64>>,
    /// What each call that takes lines takes.
    pub(crate) delay: Mutex<Duration>,
    /// While it is so, no call that takes lines ends.
    pub(crate) held: tokio::sync::watch::Sender<bool>,
}

impl Host for Service {
    fn credentials<'a>(&'a self, _spec: &'a Spec) -> BoxFuture<'a, Result<Credentials, HostError>> {
        let refused = self.refusing.lock().expect("no panic").clone();
        let lasts = self.keys_last.lock().expect("no panic").unwrap_or(3_600_000);
        Box::pin(async move {
            use roadstead_base::Clock as _;
            match refused {
                Some(why) => Err(HostError(why)),
                None => Ok(Credentials {
                    access_key: "ASIA1".into(),
                    secret: "secret".into(),
                    token: "token".into(),
                    expires: SystemClock.now().plus_millis(lasts),
                }),
            }
        })
    }

    fn log<'a>(&'a self, _spec: &'a Spec, stream: &'a str, lines: Vec<LogLine>) -> BoxFuture<'a, ()> {
        let mut logged = self.logged.lock().expect("no panic");
        logged.extend(lines.into_iter().map(|line| (stream.to_owned(), line.message)));
        let delay = *self.delay.lock().expect("no panic");
        let mut held = self.held.subscribe();
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            let _ = held.wait_for(|held| !held).await;
        })
    }
}

pub(crate) struct Bench {
    pub(crate) node: Node,
    pub(crate) service: Arc<Service>,
    pub(crate) options: Options,
    pub(crate) dir: tempfile::TempDir,
    finished: bool,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

const RUNTIMES: &str = "rs-runtimes-";

/// One for all tests of the process: it is only read.
pub(crate) fn runtimes() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let all = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        sweep(&all);
        let folder = all.join(format!("{RUNTIMES}{}", std::process::id()));
        install(&folder, Kind::Provided, None).expect("a runtime");
        folder
    })
    .clone()
}

/// What test processes left that are no more.
fn sweep(all: &Path) {
    for entry in std::fs::read_dir(all).expect("reads").flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if let Some(process) = name.strip_prefix(RUNTIMES)
            && !Path::new("/proc").join(process).exists()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make containers: run them as root"
        );
        let dir = tempfile::Builder::new()
            .prefix("rs-sandbox-")
            .tempdir()
            .expect("a directory");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut options = Options {
            instance: format!("t{:04x}{:x}", std::process::id() & 0xffff, number & 0xff),
            folder: dir.path().join("functions"),
            runtimes: runtimes(),
            supply: supply(dir.path(), Supply::MOST_BYTES).await,
            shim: env!("CARGO_BIN_EXE_rs-sandbox-shim").into(),
            idle: Duration::from_secs(600),
            memory_mb: 4096,
            api: None,
            clock: Arc::new(SystemClock),
        };
        change(&mut options);
        Self {
            node: Node::open(options.clone()).await.expect("a node"),
            service: Arc::default(),
            options,
            dir,
            finished: false,
        }
    }

    /// A function whose bootstrap is this script, after the prelude.
    pub(crate) fn function(&self, name: &str, script: &str) -> Spec {
        let folder = self.dir.path().join("code").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let bootstrap = folder.join("bootstrap");
        fs::write(&bootstrap, format!("{PRELUDE}{script}")).expect("a file");
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("executable");
        Spec {
            revision: name.to_owned(),
            account: "000000000000".parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
            function: name.to_owned(),
            version: "$LATEST".into(),
            package: Package::Zip(Zip {
                code: Content {
                    sha256: name.to_owned(),
                    folder,
                },
                layers: Vec::new(),
                runtime: "provided.al2023".into(),
                handler: "x.y".into(),
            }),
            environment: [("MINE".to_owned(), "1".to_owned())].into(),
            memory_mb: 128,
            tmp_mb: 512,
            timeout: Duration::from_secs(20),
            architecture: Architecture::X86_64,
            log_group: format!("/aws/lambda/{name}"),
            host: self.service.clone(),
        }
    }

    /// A folder as a layer has it.
    pub(crate) fn layer(&self, name: &str, text: &str) -> Content {
        let folder = self.dir.path().join("layers").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("name"), text).expect("a file");
        Content {
            sha256: name.to_owned(),
            folder,
        }
    }

    pub(crate) async fn invoke(&self, spec: &Arc<Spec>, id: &str, payload: &str) -> Outcome {
        self.node
            .invoke(spec, invocation(id, payload))
            .await
            .expect("it ran")
    }

    /// What was logged so far, all streams.
    pub(crate) fn logged(&self) -> Vec<String> {
        let logged = self.service.logged.lock().expect("no panic");
        logged.iter().map(|(_, line)| line.clone()).collect()
    }

    /// The runtime behind the node's back.
    pub(crate) async fn containers(&self) -> Vec<roadstead_runtime::ContainerStatus> {
        let instance = format!("{}f", self.options.instance)
            .parse()
            .expect("an instance");
        let mut options = roadstead_runtime::Options::new(instance, self.options.folder.join("containers"));
        options.shim_exe.clone_from(&self.options.shim);
        let runtime = Runtime::open(options).await.expect("a runtime");
        runtime.list().await.expect("a list")
    }

    /// Another node has the folder now.
    pub(crate) fn take_over(&mut self, node: Node) {
        self.node = node;
    }

    pub(crate) async fn finish(mut self) {
        self.node.stop().await.expect("stopped");
        self.finished = true;
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        let left: Vec<&str> = mounts
            .lines()
            .filter(|line| line.contains(&*self.dir.path().to_string_lossy()))
            .collect();
        assert!(left.is_empty(), "left mounted: {left:?}");
        let groups = fs::read_dir("/sys/fs/cgroup").expect("cgroups").flatten();
        let own = format!("rs-{}f", self.options.instance);
        for group in groups {
            for path in [group.path(), group.path().join(&own)] {
                assert!(
                    !path.ends_with(&own) || !path.exists(),
                    "left: {}",
                    path.display()
                );
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // After a failure: still nothing may stay.
        let options = self.options.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    if let Ok(node) = Node::open(options).await {
                        let _ = node.stop().await;
                    }
                });
            }
        });
        let _ = thread.join();
    }
}

/// The archives of a function that has some.
pub(crate) fn zip(spec: &mut Spec) -> &mut Zip {
    match &mut spec.package {
        Package::Zip(zip) => zip,
        Package::Image(image) => panic!("{image:?} is no archive"),
    }
}

/// From the store of a bench.
pub(crate) async fn supply(dir: &Path, most_bytes: u64) -> Supply {
    let store = roadstead_image::Options::new(dir.join("images"));
    let supply = Supply::open(store, PullBehaviour::Default, most_bytes).await;
    supply.expect("a store")
}

/// Where the code of such a function lies.
pub(crate) fn code(spec: &Spec) -> PathBuf {
    zip(&mut spec.clone()).code.folder.clone()
}

pub(crate) fn invocation(id: &str, payload: &str) -> Invocation {
    Invocation {
        request_id: id.to_owned(),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
        payload: Bytes::from(payload.to_owned()),
        client_context: None,
        tail: true,
    }
}

pub(crate) fn returned(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::Returned(payload) => String::from_utf8_lossy(payload).into_owned(),
        Ending::Failed(failure) => panic!("{:?} {}", failure.why, String::from_utf8_lossy(&failure.body)),
    }
}

/// Why it failed, and its message.
pub(crate) fn failed(outcome: &Outcome) -> (roadstead_functions::Why, String) {
    match &outcome.ending {
        Ending::Returned(payload) => panic!("returned {}", String::from_utf8_lossy(payload)),
        Ending::Failed(failure) => {
            let body: serde_json::Value = serde_json::from_slice(&failure.body).expect("JSON");
            (
                failure.why,
                body["errorMessage"].as_str().unwrap_or_default().to_owned(),
            )
        }
    }
}

/// Looks until it holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2_400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain until {what}");
}
