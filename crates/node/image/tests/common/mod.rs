//! Images made in memory, and a registry in a few lines that misbehaves on request.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

pub mod debian;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_image::{Digest, Images, Mirror, Options, Platform};

/// A tar of plain files; a path that ends with `/` is a directory, content `->x` a symbolic link to x.
pub fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(1);
        header.set_mode(0o755);
        if let Some(target) = content.strip_prefix("->") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, path, target).expect("append");
            continue;
        }
        if path.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, path, content.as_bytes())
            .expect("append");
    }
    builder.into_inner().expect("finish")
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compress");
    encoder.finish().expect("compress")
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image as a registry has it.
#[derive(Clone)]
pub struct TestImage {
    pub manifest: Vec<u8>,
    pub config: Vec<u8>,
    /// Blobs, bottom first.
    pub layers: Vec<Vec<u8>>,
    pub diff_ids: Vec<Digest>,
}

impl TestImage {
    /// From uncompressed layers, bottom first.
    pub fn new(layers: &[Vec<u8>]) -> Self {
        Self::with(layers, GZIP, &Platform::host())
    }

    pub fn with(tars: &[Vec<u8>], media_type: &str, platform: &Platform) -> Self {
        let diff_ids: Vec<Digest> = tars.iter().map(|tar| Digest::of(tar)).collect();
        let config = serde_json::json!({
            "architecture": platform.architecture, "os": platform.os,
            "config": {
                "Entrypoint": null, "Cmd": ["/bin/sh", "-c", "true"], "Env": ["PATH=/bin", "A=b"], "User": "web:www",
                "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
                "StopSignal": "SIGQUIT", "Labels": {"k": "v"},
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let layers: Vec<Vec<u8>> = tars
            .iter()
            .map(|tar| match media_type {
                GZIP => gzip(tar),
                ZSTD => zstd(tar),
                _ => tar.clone(),
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter().map(|blob| descriptor(media_type, blob)).collect::<Vec<_>>(),
        });
        Self {
            manifest: manifest.to_string().into_bytes(),
            config,
            layers,
            diff_ids,
        }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// The same image with a manifest that was changed.
    pub fn edit(&self, change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let mut manifest = serde_json::from_slice(&self.manifest).expect("json");
        change(&mut manifest);
        Self {
            manifest: manifest.to_string().into_bytes(),
            ..self.clone()
        }
    }
}

pub fn descriptor(media_type: &str, blob: &[u8]) -> serde_json::Value {
    serde_json::json!({"mediaType": media_type, "digest": Digest::of(blob), "size": blob.len()})
}

/// A request as the fake registry sees it.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// What it answers.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Sends only so many bytes of the body, then closes.
    pub cut: Option<usize>,
    /// Says nothing for so long first.
    pub stall: Duration,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub fn ok(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            body,
            ..Self::default()
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Documents by path, and what was asked.
#[derive(Clone)]
pub struct Registry {
    pub address: SocketAddr,
    pub log: Arc<Mutex<Vec<Ask>>>,
}

pub type Content = Arc<Mutex<HashMap<String, (String, Vec<u8>)>>>;

/// Puts an image under a repository and a tag.
pub fn put(content: &Content, repository: &str, tag: &str, image: &TestImage) {
    let mut content = content.lock().expect("lock");
    let manifest = (MANIFEST.to_owned(), image.manifest.clone());
    content.insert(format!("/v2/{repository}/manifests/{tag}"), manifest.clone());
    content.insert(format!("/v2/{repository}/manifests/{}", image.digest()), manifest);
    for blob in image.layers.iter().chain([&image.config]) {
        let octets = "application/octet-stream".to_owned();
        content.insert(
            format!("/v2/{repository}/blobs/{}", Digest::of(blob)),
            (octets, blob.clone()),
        );
    }
}

/// The honest answer.
pub fn serve(content: &Content, ask: &Ask) -> Reply {
    let Some((kind, body)) = content.lock().expect("lock").get(&ask.path).cloned() else {
        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        return Reply {
            body: body.as_bytes().to_vec(),
            ..Reply::status(404)
        };
    };
    let digest = Digest::of(&body);
    let reply = Reply::ok(body).header("content-type", &kind);
    if ask.path.contains("/manifests/") {
        reply.header("docker-content-digest", digest.as_str())
    } else {
        reply
    }
}

impl Registry {
    /// Serves `content` until the test ends.
    pub fn honest(content: &Content) -> Self {
        let content = content.clone();
        Self::start(move |ask| serve(&content, ask))
    }

    pub fn start(answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        Self::run(answer, None)
    }

    /// The same over https.
    pub fn start_tls(
        answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static,
        config: rustls::ServerConfig,
    ) -> Self {
        Self::run(answer, Some(Arc::new(config)))
    }

    fn run(
        answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let log: Arc<Mutex<Vec<Ask>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen, tls) = (answer.clone(), seen.clone(), tls.clone());
                std::thread::spawn(move || {
                    // A client that hangs up is part of the test.
                    let _ = match tls.map(rustls::ServerConnection::new) {
                        None => exchange(stream, &*answer, &seen),
                        Some(Ok(tls)) => exchange(rustls::StreamOwned::new(tls, stream), &*answer, &seen),
                        Some(Err(error)) => Err(std::io::Error::other(error)),
                    };
                });
            }
        });
        Self { address, log }
    }

    /// Requests whose path contains `part`, as `METHOD path`.
    pub fn asked(&self, part: &str) -> Vec<String> {
        let log = self.log.lock().expect("lock");
        log.iter()
            .filter(|a| a.path.contains(part))
            .map(|a| format!("{} {}", a.method, a.path))
            .collect()
    }
}

fn exchange(
    mut stream: impl Read + Write,
    answer: &(dyn Fn(&Ask) -> Reply + Send + Sync),
    seen: &Mutex<Vec<Ask>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 65536 && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned()));
    let ask = Ask {
        method,
        path,
        headers: headers.collect(),
    };
    seen.lock().expect("lock").push(ask.clone());
    let mut reply = answer(&ask);
    let range = ask
        .headers
        .get("range")
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = if reply.status == 206 {
        range.unwrap_or(0)
    } else {
        0
    };
    if reply.status == 206 {
        let whole = reply.body.len();
        reply = reply.header("content-range", &format!("bytes {from}-{}/{whole}", whole - 1));
    }
    if !reply.stall.is_zero() {
        std::thread::park_timeout(reply.stall);
    }
    let body = &reply.body[from..];
    write!(
        stream,
        "HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n",
        reply.status,
        body.len()
    )?;
    for (name, value) in &reply.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    if ask.method != "HEAD" {
        stream.write_all(&body[..reply.cut.unwrap_or(body.len()).min(body.len())])?;
    }
    stream.flush()
}

/// Options for a store below `root` with `docker.io` at `address`, impatient as a test must be.
pub fn options(root: &Path, address: Option<SocketAddr>) -> Options {
    let mut options = Options::new(root.join("images"));
    options
        .mirrors
        .extend(address.map(|at| Mirror::new("docker.io", &format!("http://{at}")).expect("mirror")));
    options.limits.retries = 2;
    options.limits.retry_pause = Duration::from_millis(10);
    options.limits.connect_timeout = Duration::from_secs(2);
    options.limits.inactivity_timeout = Duration::from_secs(20);
    options
}

pub async fn open(root: &Path, address: Option<SocketAddr>) -> Images {
    Images::open(options(root, address)).await.expect("open")
}

/// The names in a folder of the store.
pub fn folder(images: &Images, name: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(images.root().join(name))
        .expect("read_dir")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("utf-8"))
        .collect();
    names.sort();
    names
}

/// Writes images as an OCI layout, each with its name.
pub fn write_layout(dir: &Path, images: &[(&str, &TestImage)]) {
    use std::fs;
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("create");
    let mut entries = Vec::new();
    for (name, image) in images {
        for blob in image.layers.iter().chain([&image.config, &image.manifest]) {
            fs::write(blobs.join(Digest::of(blob).hex()), blob).expect("write");
        }
        let mut entry = descriptor(MANIFEST, &image.manifest);
        entry["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": name});
        entries.push(entry);
    }
    let index = serde_json::json!({"schemaVersion": 2, "manifests": entries});
    fs::write(dir.join("index.json"), index.to_string()).expect("write");
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("write");
}

/// The files of a directory as a tar.
pub fn tar_of(dir: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", dir).expect("append");
    builder.into_inner().expect("finish")
}
