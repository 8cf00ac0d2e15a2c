//! Debian's `docker-registry`, started for one test and ended with it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends with the test, also a failing one.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    data: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn start() -> Running {
    start_with(tempfile::tempdir().expect("tempdir"), &|address| {
        format!("http: {{addr: \"{address}\"}}\n")
    })
}

impl Running {
    /// Ends it and hands over what it stored.
    pub fn into_data(mut self) -> tempfile::TempDir {
        std::mem::replace(&mut self.data, tempfile::tempdir().expect("tempdir"))
    }
}

/// Over what an earlier one stored, with `http` and further sections of the configuration.
pub fn start_with(data: tempfile::TempDir, sections: &dyn Fn(SocketAddr) -> String) -> Running {
    let mut data = data;
    // The port may be taken between asking for it and using it; the registry ends then, and another is tried.
    for _ in 0..10 {
        match try_start(data, sections) {
            Ok(running) => return running,
            Err(unused) => data = unused,
        }
    }
    panic!("docker-registry did not start");
}

fn try_start(
    data: tempfile::TempDir,
    sections: &dyn Fn(SocketAddr) -> String,
) -> Result<Running, tempfile::TempDir> {
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("bind");
    let config = data.path().join("config.yml");
    let storage = data.path().join("data");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n{}",
        storage.display(),
        sections(address)
    );
    fs::write(&config, text).expect("write");
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("docker-registry is installed");
    let mut running = Running { child, address, data };
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) && running.child.try_wait().expect("wait").is_none() {
        if TcpStream::connect(address).is_ok() && http(address, "GET", "/v2/", "", &[]).0 > 0 {
            return Ok(running);
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Err(running.into_data())
}

pub fn http(to: SocketAddr, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(to).expect("connect");
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    // At once: a server that speaks TLS answers the first bytes it does not understand, and hangs up on the next.
    stream.write_all(&request).expect("write");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    (status, answer)
}
