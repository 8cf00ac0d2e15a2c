//! Directories that tasks mount: the host's own, and those that live as long as the task.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::storage::Storage;
use roadstead_acs::MountPoint;
use roadstead_runtime::{Mount, MountKind};

use crate::driver::{Failure, Result};
use crate::engine::spec::{Container, Task};

/// The task-lived files below the agent's directory: `tasks/<task id>/…`.
#[derive(Clone)]
pub(super) struct Volumes {
    root: PathBuf,
    storage: Storage,
}

fn io(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{what} {}: {error}", path.display()))
}

/// Makes a directory that is not there, as Docker does for host paths.
fn make(path: &Path) -> Result<()> {
    match fs::create_dir_all(path) {
        // A file is a fine thing to mount.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|error| io("making the volume's directory", path, &error)),
    }
}

impl Volumes {
    pub(super) fn new(root: PathBuf) -> Self {
        let storage = Storage::new(root.with_file_name("disks"));
        Self { root, storage }
    }

    /// Gives the task a disk of its own, if it is to have one: before anything of it is written.
    pub(super) fn prepare(&self, task: &Task) -> Result<()> {
        match task.storage_gib {
            0 => Ok(()),
            gib => self.storage.prepare(&task.id, &self.of_task(task), gib),
        }
    }

    /// Where the container's writable layer goes, empty: on the task's disk, if it has one.
    pub(super) fn writable(&self, task: &Task, container: &Container) -> Result<Option<PathBuf>> {
        if task.storage_gib == 0 {
            return Ok(None);
        }
        let home = self.of_task(task).join("roots").join(&container.runtime_id);
        remove(&home)?;
        make(&home)?;
        Ok(Some(home))
    }

    /// What the agent keeps for a task outside its containers.
    pub(super) fn of_task(&self, task: &Task) -> PathBuf {
        self.root.join(&task.id)
    }

    /// The container's mounts: its own, those of other containers, and the volumes that its image declares.
    pub(super) fn mounts(
        &self,
        task: &Task,
        container: &Container,
        declared: &[String],
    ) -> Result<Vec<Mount>> {
        let mut mounts = Vec::new();
        self.inherit(task, container, false, 0, &mut mounts)?;
        for (index, path) in declared.iter().enumerate() {
            let target = PathBuf::from(path);
            if !path.starts_with('/') || mounts.iter().any(|mount: &Mount| mount.target == target) {
                continue;
            }
            let source = self
                .of_task(task)
                .join("image-volumes")
                .join(&container.runtime_id)
                .join(index.to_string());
            make(&source)?;
            mounts.push(Mount {
                kind: MountKind::Volume { source },
                target,
                read_only: false,
            });
        }
        Ok(mounts)
    }

    /// The own mount points win over inherited ones with the same target.
    fn inherit(
        &self,
        task: &Task,
        container: &Container,
        read_only: bool,
        depth: usize,
        mounts: &mut Vec<Mount>,
    ) -> Result<()> {
        for point in &container.mounts {
            let target = PathBuf::from(&point.container_path);
            if !mounts.iter().any(|mount| mount.target == target) {
                let kind = self.source(task, point)?;
                mounts.push(Mount {
                    kind,
                    target,
                    read_only: read_only || point.read_only,
                });
            }
        }
        // Containers cannot inherit from each other in a circle: volumesFrom is a dependency.
        for from in container
            .volumes_from
            .iter()
            .filter(|_| depth < task.containers.len())
        {
            if let Some(source) = task.container(&from.source_container) {
                self.inherit(task, source, read_only || from.read_only, depth + 1, mounts)?;
            }
        }
        Ok(())
    }

    fn source(&self, task: &Task, point: &MountPoint) -> Result<MountKind> {
        let Some((index, volume)) = task
            .volumes
            .iter()
            .enumerate()
            .find(|(_, volume)| volume.name == point.source_volume)
        else {
            return Err(Failure(format!("there is no volume {:?}", point.source_volume)));
        };
        match &volume.source {
            Some(path) => {
                let source = PathBuf::from(path);
                make(&source)?;
                Ok(MountKind::Bind { source })
            }
            // By its number: a name could be anything.
            None => {
                let source = self.of_task(task).join("volumes").join(index.to_string());
                make(&source)?;
                Ok(MountKind::Volume { source })
            }
        }
    }

    pub(super) fn remove(&self, task: &Task) -> Result<()> {
        self.storage.release(&task.id, &self.of_task(task))?;
        remove(&self.of_task(task))
    }

    /// Removes the files of tasks that are not among `keep`.
    pub(super) fn sweep(&self, keep: &BTreeSet<String>) -> Result<()> {
        for task in self.storage.tasks() {
            if !keep.contains(&task) {
                self.storage.release(&task, &self.root.join(&task))?;
            }
        }
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| io("listing", &self.root, &error))?,
        };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(|name| keep.contains(name)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Never follows links: `remove_dir_all` removes a link, not what it leads to.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("removing", path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decode::decode;
    use roadstead_acs as acs;

    fn task() -> Task {
        let point = |volume: &str, path: &str, read_only| MountPoint {
            source_volume: volume.into(),
            container_path: path.into(),
            read_only,
        };
        let container = |name: &str, mounts| acs::Container {
            name: name.into(),
            image: "busybox".into(),
            essential: true,
            mount_points: mounts,
            ..acs::Container::default()
        };
        let mut reader = container("reader", vec![point("own", "/own", false)]);
        reader.volumes_from = vec![acs::VolumeFrom {
            source_container: "writer".into(),
            read_only: true,
        }];
        decode(&acs::Task {
            arn: "arn:aws:ecs:us-east-1:000000000000:task/default/t1".into(),
            network_mode: "none".into(),
            containers: vec![
                container(
                    "writer",
                    vec![point("data", "/data", false), point("own", "/own", true)],
                ),
                reader,
            ],
            volumes: ["data", "own"]
                .map(|name| acs::Volume {
                    name: name.into(),
                    ..acs::Volume::default()
                })
                .into(),
            ..acs::Task::default()
        })
        .expect("reads")
    }

    #[test]
    fn mounts_are_inherited_and_task_volumes_go_with_the_task() {
        let dir = tempfile::tempdir().expect("a directory");
        let (volumes, task) = (Volumes::new(dir.path().join("tasks")), task());
        let mounts = volumes
            .mounts(&task, &task.containers[1], &["/cache".into(), "/own".into()])
            .expect("mounts");
        let shown: Vec<_> = mounts
            .iter()
            .map(|mount| (mount.target.to_str().expect("text"), mount.read_only))
            .collect();
        assert_eq!(shown, [("/own", false), ("/data", true), ("/cache", false)]);
        for mount in &mounts {
            let MountKind::Volume { source } = &mount.kind else {
                panic!("{mount:?}")
            };
            assert!(source.is_dir() && source.starts_with(dir.path().join("tasks/t1")));
        }
        volumes.sweep(&["t1".to_owned()].into()).expect("sweeps");
        assert!(dir.path().join("tasks/t1").is_dir());
        volumes.remove(&task).expect("removes");
        volumes.remove(&task).expect("twice is fine");
        assert!(!dir.path().join("tasks/t1").exists());
    }
}
