//! Volumes that outlive the tasks that use them, found again by their names, and the places of those that do not but
//! have options. A volume is a directory `shared-volumes/<name>`: `_data` has its files, `volume.json` what it was made
//! with, `used-by` the tasks that have it. One made by hand needs `_data` alone.
//! Source: the Amazon ECS API reference, DockerVolumeConfiguration; Docker's reference, "docker volume create".

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use roadstead_volumes::Storage;
use serde::{Deserialize, Serialize};

use super::storage::{is_mounted, run, unmount};
use super::volumes::{io, make};
use crate::driver::{Failure, Result};
use crate::engine::machine::RESOURCE_INITIALIZATION;
use crate::engine::spec::{SharedVolume, Task, VolumeSource};

const DATA: &str = "_data";
const RECORD: &str = "volume.json";
const USERS: &str = "used-by";
/// No volume's name has a dot.
const UNFINISHED: &str = ".new";

#[derive(Clone)]
pub(super) struct Shared {
    root: PathBuf,
    /// Two tasks that begin together make a volume once.
    lock: Arc<Mutex<()>>,
}

/// What a volume was made with.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    driver: String,
    options: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl Shared {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            lock: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Makes the volumes that the task is to share and that are not there yet, and notes that it uses them.
    ///
    /// # Errors
    /// The task's reason, complete.
    pub(super) fn prepare(&self, task: &Task) -> Result<()> {
        let _held = self.lock();
        for volume in &task.volumes {
            let VolumeSource::Docker(docker) = &volume.source else {
                continue;
            };
            let Some(shared) = &docker.shared else { continue };
            let home = self.root.join(&volume.name);
            if !home.join(DATA).is_dir() {
                if !shared.autoprovision {
                    return Err(Failure(format!(
                        "initialize volume: volume detection failed, volume '{}' does not exist and autoprovision is set \
                         to false",
                        volume.name
                    )));
                }
                self.make(&home, shared)
                    .map_err(|Failure(why)| Failure(format!("{RESOURCE_INITIALIZATION}: {why}")))?;
            }
            let users = home.join(USERS);
            make(&users)
                .and_then(|()| {
                    let user = users.join(&task.id);
                    fs::write(&user, "").map_err(|error| io("writing", &user, &error))
                })
                .map_err(|Failure(why)| Failure(format!("{RESOURCE_INITIALIZATION}: {why}")))?;
        }
        Ok(())
    }

    /// All of it or nothing.
    fn make(&self, home: &Path, shared: &SharedVolume) -> Result<()> {
        let unfinished = self.root.join(UNFINISHED);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(io("removing", &unfinished, &error));
            }
            _ => {}
        }
        make(&unfinished.join(DATA))?;
        let record = Record {
            driver: "local".to_owned(),
            options: shared.options.clone(),
            labels: shared.labels.clone(),
        };
        let record = serde_json::to_vec_pretty(&record).map_err(super::failed)?;
        let path = unfinished.join(RECORD);
        fs::write(&path, record).map_err(|error| io("writing", &path, &error))?;
        fs::rename(&unfinished, home).map_err(|error| io("making the volume's directory", home, &error))
    }

    /// Where a volume's files are, mounted if need be, and whether they can only be read.
    ///
    /// # Errors
    /// It is not there, or cannot be mounted.
    pub(super) fn open(&self, name: &str) -> Result<(PathBuf, bool)> {
        let _held = self.lock();
        let home = self.root.join(name);
        let data = home.join(DATA);
        if !data.is_dir() {
            return Err(Failure(format!("the volume {name} was removed")));
        }
        let record = home.join(RECORD);
        let options = match fs::read(&record) {
            Err(error) if error.kind() == ErrorKind::NotFound => Record::default(),
            Err(error) => return Err(io("reading", &record, &error)),
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|error| io("reading", &record, &error.into()))?
            }
        }
        .options;
        let storage = roadstead_volumes::storage(&options)
            .map_err(|fault| Failure(format!("the options of the volume {name}: {fault}")))?;
        open(&storage, &data)
    }

    /// The task uses none of them any more. Memory that nobody uses is given back.
    pub(super) fn release(&self, task_id: &str) -> Result<()> {
        self.users(|user| user != task_id)
    }

    /// As [`Shared::release`] for all tasks that are not among `keep`.
    pub(super) fn sweep(&self, keep: &BTreeSet<String>) -> Result<()> {
        self.users(|user| keep.contains(user))
    }

    fn users(&self, stays: impl Fn(&str) -> bool) -> Result<()> {
        let _held = self.lock();
        for home in entries(&self.root)? {
            let mut used = false;
            for user in entries(&home.join(USERS))? {
                if user
                    .file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(&stays)
                {
                    used = true;
                } else {
                    fs::remove_file(&user).map_err(|error| io("removing", &user, &error))?;
                }
            }
            let data = home.join(DATA);
            if !used && data.is_dir() {
                unmount(&data).map_err(|error| io("unmounting", &data, &error.into()))?;
            }
        }
        Ok(())
    }
}

/// Where files are that a volume with the directory `own` has, mounted there if need be.
///
/// # Errors
/// It cannot be mounted.
pub(super) fn open(storage: &Storage, own: &Path) -> Result<(PathBuf, bool)> {
    match storage {
        Storage::Directory => Ok((own.to_owned(), false)),
        Storage::Bind { device, read_only } => {
            let device = PathBuf::from(device);
            if !device.is_dir() {
                return Err(Failure(format!(
                    "failed to mount local volume: mount {}:{}: no such directory",
                    device.display(),
                    own.display()
                )));
            }
            Ok((device, *read_only))
        }
        Storage::Memory { options, read_only } => {
            if !is_mounted(own) {
                let mut mount = Command::new("mount");
                mount.args(["-t", "tmpfs"]);
                if !options.is_empty() {
                    mount.args(["-o", &options.join(",")]);
                }
                run(mount.arg("tmpfs").arg(own))
                    .map_err(|why| Failure(format!("failed to mount local volume: {why}")))?;
            }
            Ok((own.to_owned(), *read_only))
        }
    }
}

/// What is in a directory, which need not be there.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|error| io("listing", dir, &error)),
    }
}
