//! A network namespace outlives the process that made it only while a file holds it, and a thread that
//! enters one must never go back to a runtime's pool. Both rules live here: namespaces are files under
//! `/run/netns` (so `ip netns` shows them), and work inside one runs on a thread of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use crate::{Error, Result};

/// Where named namespaces live, as `ip netns` expects.
pub const DIRECTORY: &str = "/run/netns";

/// An open namespace. The descriptor keeps it alive while this value lives.
#[derive(Debug)]
pub struct Netns {
    label: String,
    file: File,
}

impl Netns {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Kernel`] when `/proc` is not there.
    pub fn current() -> Result<Self> {
        Self::at(Path::new("/proc/thread-self/ns/net"))
    }

    /// The namespace that `path` names: a file under [`DIRECTORY`] or `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// [`Error::Kernel`] with `NotFound` when there is no such file, or none that is a namespace.
    pub fn at(path: &Path) -> Result<Self> {
        let attempt = || format!("opening the network namespace {}", path.display());
        let file = File::open(path).map_err(Error::kernel(attempt()))?;
        let kind = nix::sys::statfs::fstatfs(&file).map_err(|e| Error::kernel(attempt())(e.into()))?;
        if kind.filesystem_type() != nix::sys::statfs::NSFS_MAGIC {
            let source = io::Error::new(io::ErrorKind::NotFound, "the file holds no namespace");
            return Err(Error::Kernel {
                attempt: attempt(),
                source,
            });
        }
        let label = path
            .strip_prefix(DIRECTORY)
            .map_or_else(|_| path.display().to_string(), |name| name.display().to_string());
        Ok(Self { label, file })
    }

    /// The namespace `name`, if it exists.
    ///
    /// # Errors
    /// Anything but its absence.
    pub fn named(name: &str) -> Result<Option<Self>> {
        at_if_there(&path_of(name))
    }

    /// Makes the namespace `name`, with its loopback still down. A file that a crash left without a
    /// namespace is taken over; a namespace that exists is an error.
    ///
    /// # Errors
    /// [`Error::Kernel`], also when the name is taken.
    pub fn create(name: &str) -> Result<Self> {
        let _lock = lock_directory()?;
        let path = path_of(name);
        if Self::named(name)?.is_some() {
            let source = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(Error::kernel(format!("making the network namespace {name}"))(
                source,
            ));
        }
        let made = || -> io::Result<()> {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o444)
                .open(&path)?;
            on_own_thread(|| {
                unshare(CloneFlags::CLONE_NEWNET)?;
                let own = Path::new("/proc/thread-self/ns/net");
                mount(Some(own), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
                Ok(())
            })?
        };
        made().map_err(|source| {
            let _ = fs::remove_file(&path);
            Error::kernel(format!("making the network namespace {name}"))(source)
        })?;
        Self::at(&path)
    }

    /// Removes the file of namespace `name`. The namespace itself ends with its last user. Absence is fine.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the file cannot be unmounted or removed.
    pub fn remove(name: &str) -> Result<()> {
        let path = path_of(name);
        match umount2(&path, MntFlags::MNT_DETACH) {
            // EINVAL: a file that a crash left before its mount.
            Ok(()) | Err(nix::Error::ENOENT | nix::Error::EINVAL) => {}
            Err(e) => return Err(Error::kernel(format!("unmounting {}", path.display()))(e.into())),
        }
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::kernel(format!("removing {}", path.display()))(e))
            }
            _ => Ok(()),
        }
    }

    /// Names under [`DIRECTORY`] that begin with `prefix`, sorted.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the directory cannot be read; its absence is an empty list.
    pub fn list(prefix: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(DIRECTORY) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::kernel(format!("listing {DIRECTORY}"))(e)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort();
        Ok(names)
    }

    /// What messages call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Runs `work` inside the namespace, on a thread made for it, and waits.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the namespace cannot be entered; `work` has not run then.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let attempt = || format!("entering the network namespace {}", self.label);
        on_own_thread(|| {
            setns(&self.file, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        })
        .and_then(|inner| inner)
        .map_err(|source| Error::Kernel {
            attempt: attempt(),
            source,
        })
    }

    /// Brings its loopback up; twice is fine.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses.
    pub fn loopback_up(&self) -> Result<()> {
        crate::netlink::Netlink::open(self)?.loopback().map(drop)
    }

    /// Sets a value under `/proc/sys/net`; `key` is the path below it.
    pub(crate) fn sysctl(&self, settings: &[(String, &str)]) -> Result<()> {
        let attempt = format!("setting sysctls in {}", self.label);
        self.run(|| {
            for (key, value) in settings {
                let path = Path::new("/proc/sys/net").join(key);
                let written = OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .and_then(|mut f| f.write_all(value.as_bytes()));
                match written {
                    // A kernel built without IPv6 has nothing to switch off.
                    Err(e) if e.kind() == io::ErrorKind::NotFound && key.starts_with("ipv6/") => {}
                    Err(e) => return Err(io::Error::new(e.kind(), format!("net/{key}: {e}"))),
                    Ok(()) => {}
                }
            }
            Ok(())
        })?
        .map_err(Error::kernel(attempt))
    }

    /// A second descriptor of the same namespace.
    ///
    /// # Errors
    /// [`Error::Kernel`] when descriptors ran out.
    pub fn try_clone(&self) -> Result<Self> {
        let file = self
            .file
            .try_clone()
            .map_err(Error::kernel(format!("duplicating {}", self.label)))?;
        Ok(Self {
            label: self.label.clone(),
            file,
        })
    }

    /// Whether both are the same namespace.
    pub(crate) fn is_same(&self, other: &Netns) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (self.file.metadata(), other.file.metadata()) {
            (Ok(a), Ok(b)) => a.ino() == b.ino() && a.dev() == b.dev(),
            _ => false,
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The file of namespace `name`.
pub fn path_of(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Threads are never returned to a pool after a namespace change: each piece of work gets its own.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("rs-netns".into())
            .spawn_scoped(scope, work)?;
        thread
            .join()
            .map_err(|_| io::Error::other("the thread inside the namespace panicked"))
    })
}

/// Locks [`DIRECTORY`] against other makers and makes sure that mounts in it are seen from every mount
/// namespace, as `ip netns` does.
pub(crate) fn lock_directory() -> Result<Flock<File>> {
    let attempt = || format!("preparing {DIRECTORY}");
    fs::create_dir_all(DIRECTORY).map_err(Error::kernel(attempt()))?;
    let directory = File::open(DIRECTORY).map_err(Error::kernel(attempt()))?;
    let lock = Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, e)| Error::kernel(attempt())(e.into()))?;
    let share = || {
        let flags = MsFlags::MS_SHARED | MsFlags::MS_REC;
        mount(None::<&str>, DIRECTORY, None::<&str>, flags, None::<&str>)
    };
    let shared = match share() {
        // EINVAL: not a mount point yet.
        Err(nix::Error::EINVAL) => {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(DIRECTORY), DIRECTORY, None::<&str>, flags, None::<&str>).and_then(|()| share())
        }
        other => other,
    };
    shared.map_err(|e| Error::kernel(attempt())(e.into()))?;
    Ok(lock)
}

/// The namespace at `path`, or none when it is gone.
pub(crate) fn at_if_there(path: &Path) -> Result<Option<Netns>> {
    match Netns::at(path) {
        Ok(namespace) => Ok(Some(namespace)),
        Err(Error::Kernel { source, .. })
            if source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == Some(libc::ESRCH) =>
        {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
