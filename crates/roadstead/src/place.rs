//! Where things lie in the data folder, and which daemon works on it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use roadstead_base::random_hex;

/// The control plane's store.
pub(crate) fn store(data: &Path) -> PathBuf {
    data.join("store.redb")
}

/// What comes in volume: log lines.
pub(crate) fn volume(data: &Path) -> PathBuf {
    data.join("volume")
}

/// What functions run on, unless the operator keeps it elsewhere.
pub(crate) fn runtimes(data: &Path) -> PathBuf {
    data.join("runtimes")
}

/// Archives of functions and layers, and what was in them.
pub(crate) fn functions(data: &Path) -> PathBuf {
    data.join("functions")
}

/// The image store, shared with `roadstead image`.
pub(crate) fn images(data: &Path) -> PathBuf {
    data.join("images")
}

pub(crate) fn agent(data: &Path) -> PathBuf {
    data.join("agent")
}

/// Forgets what an agent recorded of its tasks; the next one removes them as nobody's.
pub(crate) fn forget_agent(data: &Path) -> Result<()> {
    let path = agent(data);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Five hexadecimal digits that stand in every name this Roadstead makes on the machine. Durable.
pub(crate) fn instance(data: &Path) -> Result<String> {
    let path = data.join("instance");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim();
            if id.len() == 5 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Ok(id.to_owned());
            }
            bail!(
                "{} does not hold an instance id; it was changed by hand",
                path.display()
            )
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = random_hex(5);
            durable(&path, id.as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// This machine's id among nodes, as instances have it: `i-` and 17 hexadecimal digits. Durable.
pub(crate) fn node_id(data: &Path) -> Result<String> {
    let path = data.join("node-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = format!("i-{}", random_hex(17));
            durable(&path, id.as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// The key that nodes of this Roadstead sign with: the one in this process, and those that join.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeKey {
    pub access_key: String,
    pub secret_key: String,
}

/// Durable, and only root's to read.
pub(crate) fn node_key(data: &Path) -> Result<NodeKey> {
    let path = data.join("node-key");
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|_| anyhow::anyhow!("{} does not hold a key; it was changed by hand", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = roadstead_base::random_bytes::<20>()?;
            let key = NodeKey {
                access_key: format!("RSNODE{}", random_hex(14).to_uppercase()),
                secret_key: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            };
            durable(&path, &serde_json::to_vec(&key)?)?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// What the authority of this Roadstead's own certificates signs with, and its certificate.
pub(crate) fn authority(data: &Path) -> PathBuf {
    data.join("tls/ca.pem")
}

/// The instance id, if the folder has one.
pub(crate) fn known_instance(data: &Path) -> Result<Option<String>> {
    if data.join("instance").exists() {
        instance(data).map(Some)
    } else {
        Ok(None)
    }
}

/// Writes a small file that is whole or not there.
pub(crate) fn durable(path: &Path, content: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// The daemon's claim on a data folder. Held as long as the process lives.
#[derive(Debug)]
pub(crate) struct Claim(#[allow(dead_code, reason = "the lock is what it holds")] Flock<File>);

impl Claim {
    /// # Errors
    /// Another daemon works on the folder.
    pub(crate) fn take(data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data)
            .with_context(|| format!("making the data folder {}", data.display()))?;
        match lock(data)? {
            Ok(mut file) => {
                crate::format::settle(data)?;
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "{}", std::process::id())?;
                Ok(Self(file))
            }
            Err(pid) => bail!(
                "a Roadstead (process {pid}) already works on {}: stop it, or choose another folder with --data",
                data.display()
            ),
        }
    }
}

/// The process id of the daemon that works on the folder, if one does.
pub(crate) fn running(data: &Path) -> Result<Option<i32>> {
    if !data.join("daemon.lock").exists() {
        return Ok(None);
    }
    Ok(lock(data)?.err().and_then(|pid| pid.parse().ok()))
}

/// The lock, or the id of the process that has it.
fn lock(data: &Path) -> Result<std::result::Result<Flock<File>, String>> {
    let path = data.join("daemon.lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Ok(lock)),
        Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)?;
            Ok(Err(pid.trim().to_owned()))
        }
        Err((_, error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_daemon_to_a_folder_and_its_id_can_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(running(folder.path()).expect("reads"), None);
        let claim = Claim::take(folder.path()).expect("free");
        assert_eq!(
            running(folder.path()).expect("reads"),
            i32::try_from(std::process::id()).ok()
        );
        let second = Claim::take(folder.path()).expect_err("taken");
        assert!(second.to_string().contains("--data"), "{second}");
        drop(claim);
        assert_eq!(running(folder.path()).expect("reads"), None);
    }

    #[test]
    fn the_instance_id_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = instance(folder.path()).expect("made");
        assert_eq!(instance(folder.path()).expect("read"), first);
        std::fs::write(folder.path().join("instance"), "nonsense").expect("written");
        assert!(instance(folder.path()).is_err());
    }
}
