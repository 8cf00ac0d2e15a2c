//! Directories that tasks mount: the host's own, and those that live as long as the task.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::shared::{self, Shared};
use super::storage::{Storage, unmount};
use roadstead_acs::MountPoint;
use roadstead_runtime::{Mount, MountKind};

use crate::driver::{Failure, Result};
use crate::engine::machine::RESOURCE_INITIALIZATION;
use crate::engine::spec::{Container, Task, VolumeSource};

/// The task-lived files below the agent's directory: `tasks/<task id>/…`.
#[derive(Clone)]
pub(super) struct Volumes {
    root: PathBuf,
    storage: Storage,
    shared: Shared,
}

pub(super) fn io(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{what} {}: {error}", path.display()))
}

/// Makes a directory that is not there, as Docker does for host paths.
pub(super) fn make(path: &Path) -> Result<()> {
    match fs::create_dir_all(path) {
        // A file is a fine thing to mount.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|error| io("making the volume's directory", path, &error)),
    }
}

impl Volumes {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            storage: Storage::new(root.with_file_name("disks")),
            shared: Shared::new(root.with_file_name("shared-volumes")),
            root,
        }
    }

    /// Gives the task a disk of its own, if it is to have one, before anything of it is written; then the volumes
    /// that outlive it.
    pub(super) fn prepare(&self, task: &Task) -> Result<()> {
        if task.storage_gib > 0 {
            let made = self
                .storage
                .prepare(&task.id, &self.of_task(task), task.storage_gib);
            made.map_err(|Failure(why)| Failure(format!("{RESOURCE_INITIALIZATION}: {why}")))?;
        }
        self.shared.prepare(task)
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
                let (kind, reads) = self.source(task, point)?;
                mounts.push(Mount {
                    kind,
                    target,
                    read_only: read_only || point.read_only || reads,
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

    /// What a mount point shows, and whether it can only be read.
    fn source(&self, task: &Task, point: &MountPoint) -> Result<(MountKind, bool)> {
        let Some((index, volume)) = task
            .volumes
            .iter()
            .enumerate()
            .find(|(_, volume)| volume.name == point.source_volume)
        else {
            return Err(Failure(format!("there is no volume {:?}", point.source_volume)));
        };
        // By its number: a name could be anything.
        let own = || {
            let dir = self.of_task(task).join("volumes").join(index.to_string());
            make(&dir).map(|()| dir)
        };
        let (source, read_only) = match &volume.source {
            VolumeSource::Host(path) => {
                let source = PathBuf::from(path);
                make(&source)?;
                return Ok((MountKind::Bind { source }, false));
            }
            VolumeSource::Task => (own()?, false),
            VolumeSource::Docker(docker) if docker.shared.is_some() => self.shared.open(&volume.name)?,
            VolumeSource::Docker(docker) => shared::open(&docker.storage, &own()?)?,
        };
        Ok((MountKind::Volume { source }, read_only))
    }

    pub(super) fn remove(&self, task: &Task) -> Result<()> {
        self.clear(&task.id)?;
        self.shared.release(&task.id)
    }

    /// A task's own files, and the memory that some of its volumes are in.
    fn clear(&self, task_id: &str) -> Result<()> {
        let home = self.root.join(task_id);
        for volume in shared::entries(&home.join("volumes"))? {
            unmount(&volume).map_err(|error| io("unmounting", &volume, &error.into()))?;
        }
        self.storage.release(task_id, &home)?;
        remove(&home)
    }

    /// Removes the files of tasks that are not among `keep`.
    pub(super) fn sweep(&self, keep: &BTreeSet<String>) -> Result<()> {
        for task in self.storage.tasks() {
            if !keep.contains(&task) {
                self.storage.release(&task, &self.root.join(&task))?;
            }
        }
        for path in shared::entries(&self.root)? {
            match path.file_name().and_then(|name| name.to_str()) {
                Some(task) if keep.contains(task) => {}
                Some(task) => self.clear(task)?,
                None => remove(&path)?,
            }
        }
        self.shared.sweep(keep)
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
    use super::super::storage::is_mounted;
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

    fn docker(id: &str, volume: &str, scope: &str, autoprovision: bool, options: &[(&str, &str)]) -> Task {
        decode(&acs::Task {
            arn: format!("arn:aws:ecs:us-east-1:000000000000:task/default/{id}"),
            network_mode: "none".into(),
            containers: vec![acs::Container {
                name: "web".into(),
                image: "busybox".into(),
                essential: true,
                mount_points: vec![MountPoint {
                    source_volume: volume.into(),
                    container_path: "/data".into(),
                    read_only: false,
                }],
                ..acs::Container::default()
            }],
            volumes: vec![acs::Volume {
                name: volume.into(),
                kind: "docker".into(),
                docker_volume_configuration: Some(acs::DockerVolume {
                    scope: scope.into(),
                    autoprovision,
                    driver: "local".into(),
                    driver_opts: options
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                        .collect(),
                    labels: [("team".to_owned(), "blue".to_owned())].into(),
                }),
                ..acs::Volume::default()
            }],
            ..acs::Task::default()
        })
        .expect("reads")
    }

    fn opened(volumes: &Volumes, task: &Task) -> Result<(PathBuf, bool)> {
        let mounts = volumes.mounts(task, &task.containers[0], &[])?;
        let MountKind::Volume { source } = &mounts[0].kind else {
            panic!("{mounts:?}")
        };
        Ok((source.clone(), mounts[0].read_only))
    }

    #[test]
    fn shared_volumes_outlive_tasks_and_others_do_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let volumes = Volumes::new(dir.path().join("tasks"));
        let needs = docker("t0", "data", "shared", false, &[]);
        let Err(Failure(why)) = volumes.prepare(&needs) else {
            panic!("it is not there")
        };
        assert_eq!(
            why,
            "initialize volume: volume detection failed, volume 'data' does not exist and autoprovision is set to false"
        );
        let (first, second) = (
            docker("t1", "data", "shared", true, &[]),
            docker("t2", "data", "shared", true, &[]),
        );
        volumes.prepare(&first).expect("is made");
        let (place, read_only) = opened(&volumes, &first).expect("opens");
        assert!(place.starts_with(dir.path().join("shared-volumes/data")) && !read_only);
        fs::write(place.join("kept"), "kept").expect("writes");
        volumes.remove(&first).expect("is given back");
        for task in [&second, &needs] {
            volumes.prepare(task).expect("is there");
            assert_eq!(opened(&volumes, task).expect("opens").0, place);
        }
        volumes.sweep(&BTreeSet::new()).expect("sweeps");
        assert_eq!(fs::read_to_string(place.join("kept")).expect("reads"), "kept");
        let record = fs::read_to_string(place.with_file_name("volume.json")).expect("reads");
        let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
        assert_eq!(
            (&record["driver"], &record["labels"]["team"]),
            (&"local".into(), &"blue".into())
        );
        // One made by hand is a directory and no more.
        fs::create_dir_all(dir.path().join("shared-volumes/own/_data")).expect("makes");
        let own = docker("t3", "own", "shared", false, &[]);
        volumes.prepare(&own).expect("is there");
        opened(&volumes, &own).expect("opens");

        let task = docker("t4", "data", "task", false, &[]);
        volumes.prepare(&task).expect("nothing to do");
        let (place, _) = opened(&volumes, &task).expect("opens");
        assert!(place.starts_with(dir.path().join("tasks/t4")));
        volumes.remove(&task).expect("removes");
        assert!(!place.exists());
    }

    #[test]
    fn options_bind_directories_and_mount_memory() {
        let dir = tempfile::tempdir().expect("a directory");
        let volumes = Volumes::new(dir.path().join("tasks"));
        let device = dir.path().join("device");
        let device_text = device.to_str().expect("text");
        let bind = [("type", "none"), ("device", device_text), ("o", "bind,ro")];
        let bound = docker("t1", "data", "task", false, &bind);
        let Err(Failure(why)) = opened(&volumes, &bound) else {
            panic!("it is not there")
        };
        assert!(
            why.starts_with("failed to mount local volume") && why.contains(device_text),
            "{why}"
        );
        fs::create_dir(&device).expect("makes");
        fs::write(device.join("kept"), "").expect("writes");
        assert_eq!(opened(&volumes, &bound).expect("opens"), (device.clone(), true));
        volumes.remove(&bound).expect("removes");
        assert!(device.join("kept").exists());

        let memory = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,mode=0700")];
        let own = docker("t2", "fast", "task", false, &memory);
        let (place, _) = opened(&volumes, &own).expect("opens");
        assert!(is_mounted(&place));
        let size = rustix::fs::statvfs(&place).expect("says").f_blocks * 4096;
        assert_eq!(size, 1 << 20);
        volumes.sweep(&BTreeSet::new()).expect("sweeps");
        assert!(!place.exists());

        let (one, two) = (
            docker("t3", "fast", "shared", true, &memory),
            // What it asks for comes too late: the volume is there.
            docker("t4", "fast", "shared", true, &[]),
        );
        for task in [&one, &two] {
            volumes.prepare(task).expect("prepares");
            assert!(is_mounted(&opened(&volumes, task).expect("opens").0));
        }
        let (place, _) = opened(&volumes, &two).expect("opens");
        volumes.remove(&one).expect("removes");
        assert!(is_mounted(&place), "somebody uses it");
        volumes.remove(&two).expect("removes");
        assert!(!is_mounted(&place) && place.is_dir());
    }
}
