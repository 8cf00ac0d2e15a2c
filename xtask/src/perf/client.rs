//! A Roadstead for measuring, and the shortest way to call it: one connection, one request at a time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

pub(crate) struct Cloud {
    binary: PathBuf,
    data: PathBuf,
    address: String,
    child: Child,
}

impl Cloud {
    pub(crate) fn start(root: &Path, folder: &Path) -> Result<Self> {
        Self::start_with(&super::built(root).join("release/roadstead"), folder, &[])
    }

    /// One of this binary, with further options.
    pub(crate) fn start_with(binary: &Path, folder: &Path, options: &[String]) -> Result<Self> {
        let data = folder.join("data");
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let child = spawn(binary, &address, &data, folder, options)?;
        let mut cloud = Self {
            binary: binary.to_owned(),
            data,
            address,
            child,
        };
        cloud.ready(folder)?;
        Ok(cloud)
    }

    fn ready(&mut self, folder: &Path) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_ready() {
            if Instant::now() > deadline || self.child.try_wait()?.is_some() {
                bail!(
                    "roadstead did not become ready: {}",
                    std::fs::read_to_string(folder.join("up.log"))?
                );
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// What stands in every name it makes.
    pub(crate) fn instance(&self) -> Result<String> {
        let text = std::fs::read_to_string(self.data.join("instance")).context("reading the instance id")?;
        Ok(text.trim().to_owned())
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&mut self) -> Result<()> {
        super::checked(Command::new("kill").args(["-INT", &self.child.id().to_string()]))?;
        self.child.wait()?;
        Ok(())
    }

    /// The next daemon of the same folder.
    pub(crate) fn again(&mut self, folder: &Path, options: &[String]) -> Result<()> {
        self.child = spawn(&self.binary, &self.address, &self.data, folder, options)?;
        self.ready(folder)
    }

    /// Takes it down, tasks, records and all.
    pub(crate) fn down(mut self) -> Result<()> {
        super::checked(
            Command::new(&self.binary)
                .args(["down", "--purge", "--data"])
                .arg(&self.data),
        )?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether the node is there too, which its health says.
    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return false;
        };
        let request = format!(
            "GET /_roadstead/health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains("running")
    }

    pub(crate) fn import(&self, archive: &Path) -> Result<()> {
        super::checked(
            Command::new(&self.binary)
                .args(["image", "import"])
                .arg(archive)
                .arg("--data")
                .arg(&self.data)
                .stdout(Stdio::null()),
        )
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        Connection::to(&self.address)
    }
}

fn spawn(binary: &Path, address: &str, data: &Path, folder: &Path, options: &[String]) -> Result<Child> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("up.log"))?;
    Command::new(binary)
        .args(["up", "--listen", address, "--data"])
        .arg(data)
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if !self.data.exists() {
            return;
        }
        let down = Command::new(&self.binary)
            .args(["down", "--purge", "--data"])
            .arg(&self.data)
            .status();
        if !down.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    address: String,
}

impl Connection {
    /// To any server that speaks HTTP/1.1.
    pub(crate) fn to(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream.try_clone()?),
            stream,
            address: address.to_owned(),
        })
    }

    pub(crate) fn ecs(&mut self, operation: &str, input: &Value) -> Result<Value> {
        let body = input.to_string();
        let head = format!(
            "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\n"
        );
        let (status, answer) = self.post("ecs", &head, &body)?;
        if status != 200 {
            bail!("{operation}: {status} {answer}");
        }
        Ok(serde_json::from_str(&answer)?)
    }

    /// The answer's XML as it is.
    pub(crate) fn ec2(&mut self, form: &str) -> Result<String> {
        let (status, answer) =
            self.post("ec2", "Content-Type: application/x-www-form-urlencoded\r\n", form)?;
        if status != 200 {
            bail!("{form}: {status} {answer}");
        }
        Ok(answer)
    }

    fn post(&mut self, service: &str, head: &str, body: &str) -> Result<(u16, String)> {
        self.send(
            "POST /",
            &format!("{head}{}", authorization(service)),
            body.as_bytes(),
        )
    }

    /// Sends a request and reads its answer, which has a length.
    ///
    /// # Parameters
    /// - `line`: method and path.
    /// - `head`: header lines, each with its end.
    pub(crate) fn send(&mut self, line: &str, head: &str, body: &[u8]) -> Result<(u16, String)> {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\n{head}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .context("a status line")?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", _)) => bail!("{} answers in chunks", self.address),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }
}

/// The header line of a caller whose signature nobody verifies.
pub(crate) fn authorization(service: &str) -> String {
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=perf/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=0\r\n"
    )
}
