//! A container's directory: the only thing that daemon and shim share. Either may die at any moment, so
//! each file is written whole (rename) by one side alone, and says which format it has.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use roadstead_base::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cgroup::Layout;
use crate::devices::Node;
use crate::error::{Error, Result};
use crate::ids::ContainerId;
use crate::logs::LogPlace;
use crate::seccomp::Program;
use crate::spec::ContainerSpec;
use crate::status::Exit;

/// The format of every file here. Shims of an older daemon go on under a newer one, so a change of meaning
/// needs a new number and code that reads both.
pub(crate) const FORMAT: u32 = 1;

/// Written by the daemon before the shim starts; never changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) spec: ContainerSpec,
    pub(crate) cgroups: Layout,
    /// The container's control group, relative to each hierarchy.
    pub(crate) cgroup: PathBuf,
    /// Where the shim itself lives.
    pub(crate) shim_cgroup: PathBuf,
    /// Limits after clamping: (number as in setrlimit(2), soft, hard).
    pub(crate) rlimits: Vec<(u32, u64, u64)>,
    /// First processes of the containers whose namespaces are shared.
    pub(crate) ipc_of: Option<i32>,
    pub(crate) pid_of: Option<i32>,
    pub(crate) uts_of: Option<i32>,
    pub(crate) net_of: Option<i32>,
    pub(crate) created_at: Timestamp,
    /// Device nodes beyond the standard ones.
    #[serde(default)]
    pub(crate) devices: Vec<Node>,
    /// Whether the programs run under the filter in the directory.
    #[serde(default)]
    pub(crate) filtered: bool,
}

/// Written by the shim as its first act.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ShimProcess {
    pub(crate) pid: i32,
    /// Ticks since boot: tells this process from a later one with the same pid.
    pub(crate) start: u64,
}

/// Written by the shim when the container is ready, and again when it runs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Life {
    pub(crate) pid: i32,
    pub(crate) started_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Stamped<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

/// Where things are in a container's directory.
#[derive(Clone, Debug)]
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn of(state_dir: &Path, id: &ContainerId) -> Self {
        Self(state_dir.join(id))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.at(CONTROL)
    }
    pub(crate) fn log(&self) -> PathBuf {
        self.at("log")
    }
    pub(crate) fn shim_log(&self) -> PathBuf {
        self.at("shim.log")
    }

    /// The system call filter, apart from the plan since it is no text.
    pub(crate) fn write_filter(&self, filter: &Program) -> Result<()> {
        let path = self.at("filter");
        fs::write(&path, filter.to_bytes()).map_err(Error::io("could not write", path))
    }
    /// A filter that is missing or damaged is an error: it must not mean none.
    pub(crate) fn filter(&self) -> Result<Program> {
        let path = self.at("filter");
        let fail = |err| Error::io("could not read the system call filter", &path)(err);
        let bytes = fs::read(&path).map_err(fail)?;
        Program::from_bytes(&bytes).ok_or_else(|| fail(std::io::ErrorKind::InvalidData.into()))
    }

    pub(crate) fn write_plan(&self, plan: &Plan) -> Result<()> {
        self.write("plan.json", plan)
    }
    pub(crate) fn plan(&self) -> Result<Option<Plan>> {
        self.read("plan.json")
    }
    pub(crate) fn write_shim(&self, shim: &ShimProcess) -> Result<()> {
        self.write("shim.json", shim)
    }
    pub(crate) fn shim(&self) -> Result<Option<ShimProcess>> {
        self.read("shim.json")
    }
    pub(crate) fn write_life(&self, life: &Life) -> Result<()> {
        self.write("life.json", life)
    }
    pub(crate) fn life(&self) -> Result<Option<Life>> {
        self.read("life.json")
    }
    /// Visible at once; durable after `sync_exit`.
    pub(crate) fn write_exit(&self, exit: &Exit) -> Result<()> {
        self.write("exit.json", exit)
    }
    pub(crate) fn exit(&self) -> Result<Option<Exit>> {
        self.read("exit.json")
    }

    /// Takes away how the run before ended.
    pub(crate) fn remove_exit(&self) -> Result<()> {
        let path = self.at("exit.json");
        match fs::remove_file(&path) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("could not remove", path)(err))
            }
            _ => Ok(()),
        }
    }

    /// How far the log has been sent on; written by the daemon alone.
    pub(crate) fn write_sent(&self, place: &LogPlace) -> Result<()> {
        self.write("sent.json", place)
    }
    pub(crate) fn sent(&self) -> Result<Option<LogPlace>> {
        self.read("sent.json")
    }

    pub(crate) fn sync_exit(&self) -> Result<()> {
        for path in [self.at("exit.json"), self.0.clone()] {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(Error::io("could not sync", path))?;
        }
        Ok(())
    }

    fn write<T: Serialize>(&self, name: &str, content: &T) -> Result<()> {
        let path = self.at(name);
        let draft = self.at(&format!(".{name}.new"));
        let text = serde_json::to_vec(&Stamped {
            version: FORMAT,
            content,
        })
        .map_err(|source| Error::Corrupt {
            path: path.clone(),
            source,
        })?;
        File::create(&draft)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(Error::io("could not write", path))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let path = self.at(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(Error::io("could not read", path)(err)),
        };
        let corrupt = |source| Error::Corrupt {
            path: path.clone(),
            source,
        };
        let version = serde_json::from_slice::<Version>(&text).map_err(corrupt)?.version;
        if version > FORMAT {
            return Err(Error::Newer {
                path,
                found: version,
                known: FORMAT,
            });
        }
        let stamped: Stamped<T> = serde_json::from_slice(&text).map_err(corrupt)?;
        Ok(Some(stamped.content))
    }
}

/// The control socket's name within the directory.
pub(crate) const CONTROL: &str = "ctl";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_newer_format_is_refused() {
        let tmp = tempfile::tempdir().expect("a directory");
        let dir = Dir::new(tmp.path());
        assert!(dir.life().expect("no file is no error").is_none());
        dir.write_life(&Life {
            pid: 7,
            started_at: Some(Timestamp(5)),
        })
        .expect("written");
        assert_eq!(dir.life().expect("read").map(|life| life.pid), Some(7));

        fs::write(tmp.path().join("life.json"), r#"{"version":99,"pid":7}"#).expect("written");
        assert!(matches!(dir.life(), Err(Error::Newer { found: 99, .. })));
        fs::write(tmp.path().join("life.json"), "").expect("written");
        assert!(matches!(dir.life(), Err(Error::Corrupt { .. })));
    }
}
