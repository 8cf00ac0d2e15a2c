//! How long until an image from a registry is unpacked on disk, against `skopeo copy` plus `umoci unpack`. The image
//! is made here, of many small files that compress as programs and texts do; the registry is Debian's
//! `docker-registry` on loopback.

mod image;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{Series, checked, compare};

/// Faster.
const AIM: f64 = 1.0;

#[derive(Args)]
pub(crate) struct Options {
    /// How many of each.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Megabytes of the image, unpacked.
    #[arg(long, default_value_t = 300)]
    megabytes: u64,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-pull-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    std::fs::remove_dir_all(&folder)?;
    result
}

/// What the reference needs, which no test does.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&str> = ["skopeo", "umoci"]
        .into_iter()
        .filter(|tool| !Path::new("/usr/bin").join(tool).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!(
        "this measurement compares with {0}: installing by apt-get install {0}",
        missing.join(" ")
    );
    checked(Command::new("apt-get").args(["update", "-qq"]))?;
    checked(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()),
    )
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let layout = folder.join("image");
    let made = image::write(&layout, options.megabytes * 1_000_000)?;
    println!(
        "image: {} files in {} layers, {} MB, {} MB compressed",
        made.files,
        made.layers,
        made.bytes / 1_000_000,
        made.compressed / 1_000_000
    );
    let registry = Registry::start(folder)?;
    let name = format!("{}/perf/image:latest", registry.address);
    checked(
        Command::new("skopeo")
            .args(["copy", "--quiet", "--dest-tls-verify=false"])
            .arg(format!("oci:{}:latest", layout.display()))
            .arg(format!("docker://{name}")),
    )?;
    let mut ours = Series {
        name: "roadstead image pull",
        values: Vec::new(),
    };
    let mut theirs = Series {
        name: "skopeo copy, umoci unpack",
        values: Vec::new(),
    };
    // In turns, so that whatever else the machine does falls on both; the first of each only warms up.
    for round in 0..=options.rounds {
        // Nothing is removed before the end: file systems look twice at what was just removed when they make
        // something new, and whoever comes second would pay for it.
        let folder = folder.join(format!("round{round}"));
        std::fs::create_dir(&folder)?;
        let (a, b) = (pull(root, &folder, &name)?, reference(&folder, &name)?);
        if round > 0 {
            ours.values.push(a);
            theirs.values.push(b);
        }
    }
    compare(&ours, &theirs, AIM);
    Ok(())
}

/// Into a store that has nothing yet. What the last round wrote is on disk before the time begins.
fn pull(root: &Path, folder: &Path, name: &str) -> Result<Duration> {
    let data = folder.join("ours");
    checked(&mut Command::new("sync"))?;
    let from = Instant::now();
    checked(
        Command::new(root.join("target/release/roadstead"))
            .args(["image", "pull", name, "--data"])
            .arg(&data)
            .stdout(Stdio::null()),
    )?;
    let took = from.elapsed();
    let layers = std::fs::read_dir(data.join("images/layers"))?.count();
    if layers != image::LAYERS.len() {
        bail!("{layers} layers were unpacked");
    }
    Ok(took)
}

fn reference(folder: &Path, name: &str) -> Result<Duration> {
    let (layout, bundle) = (folder.join("theirs"), folder.join("bundle"));
    checked(&mut Command::new("sync"))?;
    let from = Instant::now();
    checked(
        Command::new("skopeo")
            .args(["copy", "--quiet", "--src-tls-verify=false"])
            .arg(format!("docker://{name}"))
            .arg(format!("oci:{}:latest", layout.display())),
    )?;
    checked(
        Command::new("umoci")
            .args(["--log", "error", "unpack", "--image"])
            .arg(format!("{}:latest", layout.display()))
            .arg(&bundle),
    )?;
    let took = from.elapsed();
    Ok(took)
}

/// Ends with the measurement.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    fn start(folder: &Path) -> Result<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let address = free.to_string();
        let config = folder.join("registry.yml");
        let data: PathBuf = folder.join("registry");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
                 storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
                data.display()
            ),
        )?;
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting docker-registry")?;
        let registry = Self { child, address };
        let began = Instant::now();
        while std::net::TcpStream::connect(&registry.address).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                bail!("docker-registry does not listen on {}", registry.address);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
