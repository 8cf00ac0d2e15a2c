//! What functions are measured against: the same handler behind Python's own HTTP server, the interpreter alone with
//! the same imports, and ministack's server.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::super::checked;

/// From PyPI, in an environment of its own, with what a function imports; it runs Python functions as processes that
/// stay.
const MINISTACK: [&str; 2] = ["ministack==1.5.33", "boto3==1.43.106"];
const BARE: &str = include_str!("bare.py");

fn environment(root: &Path) -> PathBuf {
    root.join("target/perf-ministack")
}

/// Installs ministack, where there is a way out.
pub(crate) fn install(root: &Path) -> Result<()> {
    let folder = environment(root);
    let mark = folder.join(".installed");
    let wanted = MINISTACK.join(" ");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    checked(
        Command::new("/usr/bin/python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    checked(
        Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(MINISTACK),
    )?;
    Ok(std::fs::write(mark, wanted)?)
}

/// A server on loopback that is ended with this.
pub(crate) struct Server {
    address: String,
    child: Child,
}

impl Server {
    pub(crate) fn ministack(root: &Path, folder: &Path) -> Result<Self> {
        let port = free()?;
        let mut command = Command::new(environment(root).join("bin/ministack"));
        command
            .env("GATEWAY_PORT", port.to_string())
            .env("LOG_LEVEL", "ERROR")
            // Its functions are processes of the interpreter that is found first.
            .env("PATH", path_with(&environment(root).join("bin")));
        Self::start(command, folder, "ministack", port)
    }

    /// The handler in this folder, by the interpreter that runs functions.
    pub(super) fn bare(runtime: &Path, code: &Path, folder: &Path) -> Result<Self> {
        let port = free()?;
        std::fs::write(code.join("bare.py"), BARE)?;
        let command = interpreter(runtime, code, &["/tmp/bare.py".to_owned(), port.to_string()]);
        Self::start(command, folder, "bare", port)
    }

    fn start(mut command: Command, folder: &Path, name: &str, port: u16) -> Result<Self> {
        let path = folder.join(format!("{name}.log"));
        let log = std::fs::File::create(&path)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut server = Self {
            address: format!("127.0.0.1:{port}"),
            child,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&server.address).is_err() {
            if Instant::now() > deadline || server.child.try_wait()?.is_some() {
                bail!("{name} did not start: {}", std::fs::read_to_string(path)?);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends what it started when it is told to, and not when it is killed.
        let told = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let deadline = Instant::now() + Duration::from_secs(10);
        while told.is_ok() && Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter that runs functions, in the same root with the code at `/tmp`, without a sandbox.
pub(super) fn interpreter(runtime: &Path, code: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg("mount --bind \"$1\" \"$2/tmp\" && root=$2 && shift 2 && exec chroot \"$root\" /var/lang/bin/python3 \"$@\"")
        .arg("sh")
        .arg(code)
        .arg(runtime.join("root"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("PYTHONPATH", "/var/runtime:/tmp");
    command
}

/// How long it takes until it says something; its end is not of it.
pub(super) fn until_ready(command: &mut Command) -> Result<Duration> {
    let from = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let said = child.stdout.take().map(|mut out| out.read_exact(&mut [0]));
    let took = from.elapsed();
    let status = child.wait()?;
    match said {
        Some(Ok(())) if status.success() => Ok(took),
        _ => bail!("the interpreter alone did not begin: {status}"),
    }
}

fn path_with(first: &Path) -> std::ffi::OsString {
    let mut path = first.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

fn free() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
