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
        let binary = root.join("target/release/roadstead");
        let data = folder.join("data");
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let log = std::fs::File::create(folder.join("up.log"))?;
        let child = Command::new(&binary)
            .args(["up", "--listen", &address, "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let cloud = Self {
            binary,
            data,
            address,
            child,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !cloud.is_ready() {
            if Instant::now() > deadline {
                bail!(
                    "roadstead was not ready after 30 s: {}",
                    std::fs::read_to_string(folder.join("up.log"))?
                );
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(cloud)
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

    pub(crate) fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            reader: BufReader::new(stream.try_clone()?),
            stream,
            address: self.address.clone(),
        })
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
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
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\n{head}Authorization: AWS4-HMAC-SHA256 Credential=perf/20260101/us-east-1/{service}/\
             aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes())?;
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
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }
}
