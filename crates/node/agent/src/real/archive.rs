//! Logs of containers that are gone. A container's directory holds its control group and its writable layer, so
//! it goes with the task; what it printed moves here and stays as long as the task is remembered.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::driver::{Failure, Result};

/// The runtime's record of the end: a reader that follows the log learns from it that no more comes.
const ENDED: &str = "exit.json";

pub(crate) struct Archive {
    containers: PathBuf,
    root: PathBuf,
}

fn io(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{what} {}: {error}", path.display()))
}

impl Archive {
    /// `containers` is where the runtime keeps its containers' directories, `root` a directory of the archive's
    /// own on the same file system.
    pub(crate) fn new(containers: PathBuf, root: PathBuf) -> Self {
        Self { containers, root }
    }

    /// Moves an ended container's log here. What an earlier try moved stays moved.
    pub(crate) fn take(&self, runtime_id: &str) -> Result<()> {
        let (from, to) = (self.containers.join(runtime_id), self.root.join(runtime_id));
        let entries = match fs::read_dir(&from) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| io("listing", &from, &error))?,
        };
        fs::create_dir_all(&to).map_err(|error| io("making", &to, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_log = name
                .to_str()
                .is_some_and(|name| name == "log" || name.starts_with("log."));
            let (from, to) = (entry.path(), to.join(&name));
            if is_log {
                fs::rename(&from, &to).map_err(|error| io("moving", &from, &error))?;
            } else if name == ENDED {
                fs::copy(&from, &to).map_err(|error| io("copying", &from, &error))?;
            }
        }
        Ok(())
    }

    pub(crate) fn remove(&self, runtime_id: &str) -> Result<()> {
        let path = self.root.join(runtime_id);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io("removing", &path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes the logs of containers that are not among `keep`.
    pub(crate) fn sweep(&self, keep: &BTreeSet<String>) -> Result<()> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| io("listing", &self.root, &error))?,
        };
        for entry in entries.flatten() {
            if let Some(name) = entry.file_name().to_str().filter(|name| !keep.contains(*name)) {
                self.remove(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_move_and_are_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        let archive = Archive::new(dir.path().join("containers"), dir.path().join("logs"));
        archive.take("t1-1").expect("nothing there is fine");
        let from = dir.path().join("containers/t1-1");
        fs::create_dir_all(from.join("upper")).expect("makes");
        for name in ["log", "log.1", "exit.json", "plan.json", "logo"] {
            fs::write(from.join(name), name).expect("writes");
        }
        archive.take("t1-1").expect("moves");
        fs::write(from.join("log.1"), "again").expect("writes");
        archive.take("t1-1").expect("goes on");
        let mut names: Vec<_> = fs::read_dir(dir.path().join("logs/t1-1"))
            .expect("lists")
            .flatten()
            .map(|it| it.file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["exit.json", "log", "log.1"]);
        archive.sweep(&["t1-1".to_owned()].into()).expect("keeps");
        assert!(dir.path().join("logs/t1-1").exists());
        archive.sweep(&BTreeSet::new()).expect("sweeps");
        assert!(!dir.path().join("logs/t1-1").exists());
    }
}
