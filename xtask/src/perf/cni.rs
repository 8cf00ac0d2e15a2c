//! How long a task waits for its network: an interface in a VPC with its firewall and the private link to the
//! agent, made in the agent's process, against what a container runtime starts for one veth on a bridge: the
//! reference `bridge` plugin with `host-local`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{Series, again_inside, built, checked, compare};

/// Of ADD and DEL together.
const AIM: f64 = 0.3;
const PLUGINS: &str = "/usr/lib/cni";
const BRIDGE: &str = "rsperf0";
const EXAMPLE: &str = "cni_rounds";

#[derive(Args)]
pub(crate) struct Options {
    /// How many of each.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=200))]
    rounds: u8,
}

/// Builds what is measured and runs this command again in a network namespace without an uplink.
pub(crate) fn enter(root: &Path) -> Result<()> {
    let package = ["build", "--release", "--locked", "--package", "roadstead-net"];
    checked(
        Command::new(env!("CARGO"))
            .args(package)
            .args(["--example", EXAMPLE])
            .current_dir(root),
    )?;
    again_inside(root)
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-cni-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    let _ = Command::new("ip")
        .args(["link", "del", BRIDGE])
        .stderr(Stdio::null())
        .status();
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let mut ours = Ours::start(root, options.rounds)?;
    let reference = Reference::prepare(folder, options.rounds)?;
    let series = |name| Series {
        name,
        values: Vec::new(),
    };
    let mut added = series("attach and connect");
    let mut cut = series("disconnect and detach");
    let mut gone = series("the same, until the devices are gone");
    let mut both = series("ours: made and removed");
    let (mut add, mut del) = (series("reference ADD"), series("reference DEL"));
    let mut all = series("reference: ADD and DEL");
    // In turns, so that whatever else the machine does falls on both; the first of each only warms up, and makes
    // the router or the bridge.
    for round in 0..=options.rounds {
        let [a, c, g] = ours.round()?;
        let (r, d) = reference.round(round)?;
        if round > 0 {
            added.values.push(a);
            cut.values.push(c);
            gone.values.push(g);
            both.values.push(a + c);
            add.values.push(r);
            del.values.push(d);
            all.values.push(r + d);
        }
    }
    ours.end()?;
    compare(&added, &add, AIM);
    compare(&cut, &del, AIM);
    println!("beside it, with the wait for the kernel's deletion that the reference's DEL includes:");
    gone.print();
    println!("together:");
    compare(&both, &all, AIM);
    Ok(())
}

/// The library in a process of its own.
struct Ours {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Ours {
    fn start(root: &Path, rounds: u8) -> Result<Self> {
        let program = built(root).join("release/examples").join(EXAMPLE);
        let mut child = Command::new(&program)
            .arg((rounds + 1).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let input = child.stdin.take().context("a pipe")?;
        let output = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(Self { child, input, output })
    }

    fn round(&mut self) -> Result<[Duration; 3]> {
        writeln!(self.input)?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let times = line
            .split_whitespace()
            .map(|word| word.parse().map(Duration::from_micros));
        let times: Vec<Duration> = times.collect::<Result<_, _>>()?;
        times
            .try_into()
            .map_err(|_| anyhow::anyhow!("the library's process answered {line:?}"))
    }

    fn end(self) -> Result<()> {
        let Self {
            mut child,
            input,
            output,
        } = self;
        drop((input, output));
        let status = child.wait()?;
        if !status.success() {
            bail!("the library's process ended with {status}");
        }
        Ok(())
    }
}

/// The plugin as a container runtime starts it.
struct Reference {
    conf: Value,
    /// Namespaces, one a round.
    names: Vec<String>,
}

impl Drop for Reference {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

impl Reference {
    fn prepare(folder: &Path, rounds: u8) -> Result<Self> {
        let conf = json!({
            "cniVersion": "1.0.0", "name": "rs-perf", "type": "bridge", "bridge": BRIDGE, "isGateway": true,
            "ipMasq": false,
            "ipam": {"type": "host-local", "dataDir": folder.join("ipam"), "ranges": [[{"subnet": "10.222.0.0/16"}]],
                     "routes": [{"dst": "0.0.0.0/0"}]},
        });
        let mut made = Self {
            conf,
            names: Vec::new(),
        };
        for round in 0..=rounds {
            let name = format!("rs-perf-{}-{round}", std::process::id());
            checked(Command::new("ip").args(["netns", "add", &name]))?;
            made.names.push(name);
        }
        Ok(made)
    }

    fn round(&self, round: u8) -> Result<(Duration, Duration)> {
        let name = self.names.get(usize::from(round)).context("a namespace")?;
        Ok((self.call("ADD", name)?, self.call("DEL", name)?))
    }

    fn call(&self, command: &str, name: &str) -> Result<Duration> {
        let begun = Instant::now();
        let mut child = Command::new(Path::new(PLUGINS).join("bridge"))
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", name)
            .env("CNI_NETNS", format!("/run/netns/{name}"))
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", PLUGINS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the bridge plugin: apt-get install containernetworking-plugins")?;
        let mut stdin = child.stdin.take().context("a pipe")?;
        stdin.write_all(self.conf.to_string().as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let took = begun.elapsed();
        if !output.status.success() {
            bail!("bridge {command}: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(took)
    }
}
