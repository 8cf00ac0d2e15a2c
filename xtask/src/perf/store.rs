//! How many durable puts the store on disk takes, against etcd (Debian's `etcd-server`) on the same disk. Both are
//! driven by one program, the store's example `puts`; this one starts the etcd.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{again_inside, built, checked};

const EXAMPLE: &str = "puts";

#[derive(Args)]
pub(crate) struct Options {
    /// How long each turn takes.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many turns each has, for 1 client and again for 64.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// On which disk: a folder that exists [default: the system's for temporary files]
    #[arg(long)]
    folder: Option<std::path::PathBuf>,
}

/// Builds what is measured and runs this command again in a network namespace without an uplink.
pub(crate) fn enter(root: &Path) -> Result<()> {
    checked(Command::new(root.join("scripts/setup.sh")).arg("test"))?;
    checked(
        Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--package", "roadstead-store"])
            .args(["--example", EXAMPLE])
            .current_dir(root),
    )?;
    again_inside(root)
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let base = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = base.join(format!("rs-perf-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let etcd = Etcd::start(folder)?;
    checked(
        Command::new(built(root).join("release/examples").join(EXAMPLE))
            .arg(folder)
            .arg(&etcd.address)
            .arg(options.seconds.to_string())
            .arg(options.rounds.to_string()),
    )
}

struct Etcd {
    address: String,
    child: Child,
}

impl Etcd {
    fn start(folder: &Path) -> Result<Self> {
        let port = || -> Result<u16> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
        let (client, peer) = (port()?, port()?);
        let [client_url, peer_url] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
        let child = Command::new("etcd")
            .args(["--name", "rs", "--logger", "zap", "--log-level", "warn"])
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args([
                "--listen-client-urls",
                &client_url,
                "--advertise-client-urls",
                &client_url,
            ])
            .args([
                "--listen-peer-urls",
                &peer_url,
                "--initial-advertise-peer-urls",
                &peer_url,
            ])
            .args(["--initial-cluster", &format!("rs={peer_url}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("etcd.log"))?)
            .spawn()
            .context("starting etcd: apt-get install etcd-server")?;
        let etcd = Self {
            address: format!("etcd://127.0.0.1:{client}"),
            child,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", client)).is_err() {
            if Instant::now() > deadline {
                bail!(
                    "etcd did not start: {}",
                    std::fs::read_to_string(folder.join("etcd.log"))?
                );
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(etcd)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
