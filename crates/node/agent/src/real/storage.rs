//! The bounded disk of a task: a file system of its own size in a sparse file, mounted where the task's files are, so
//! that the kernel itself says when it is full. Everything that the task writes lies there: the writable layers of its
//! containers and its volumes. Images do not: they are shared.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::{Failure, Result};

const GIB: u64 = 1 << 30;
/// Mounts upon each other that are taken away; there is one.
const MOST_MOUNTS: usize = 4;

/// Where the files of the file systems are.
#[derive(Clone)]
pub(super) struct Storage {
    images: PathBuf,
}

impl Storage {
    pub(super) fn new(images: PathBuf) -> Self {
        Self { images }
    }

    fn image(&self, task_id: &str) -> PathBuf {
        self.images.join(format!("{task_id}.img"))
    }

    /// Makes and mounts the task's disk at `dir`. One that is there already is taken as it is.
    ///
    /// # Errors
    /// It cannot be made; what was made is removed with the task.
    pub(super) fn prepare(&self, task_id: &str, dir: &Path, gib: u64) -> Result<()> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failure(format!(
                "making the task's ephemeral storage of {gib} GiB: {what}: {error}"
            ))
        };
        fs::create_dir_all(dir).map_err(|error| failed("its directory", &error))?;
        if is_mounted(dir) {
            return Ok(());
        }
        let image = self.image(task_id);
        if !image.exists() {
            fs::create_dir_all(&self.images).map_err(|error| failed("the directory of its file", &error))?;
            let unfinished = image.with_extension("new");
            File::create(&unfinished)
                .and_then(|file| file.set_len(gib * GIB))
                .map_err(|error| failed("its file", &error))?;
            // No journal: nothing of a task outlives a power failure. No space kept for root, who is the task.
            run(Command::new("mkfs.ext4")
                .args([
                    "-q",
                    "-F",
                    "-m",
                    "0",
                    "-O",
                    "^has_journal",
                    "-E",
                    "lazy_itable_init=1,nodiscard",
                ])
                .arg(&unfinished))
            .map_err(|error| failed("mkfs.ext4 (Debian's e2fsprogs)", &error))?;
            fs::rename(&unfinished, &image).map_err(|error| failed("its file", &error))?;
        }
        // The tables of a sparse file are zeroes already: the kernel need not write them in the background.
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", "loop,noatime,noinit_itable"])
            .arg(&image)
            .arg(dir))
        .map_err(|error| failed("mount", &error))
    }

    /// Takes the task's disk away, if it has one.
    ///
    /// # Errors
    /// It cannot be taken away.
    pub(super) fn release(&self, task_id: &str, dir: &Path) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure(format!(
                "removing the ephemeral storage of task {task_id}: {error}"
            ))
        };
        unmount(dir).map_err(|error| failed(&error))?;
        for image in [self.image(task_id), self.image(task_id).with_extension("new")] {
            match fs::remove_file(&image) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The tasks that have one, mounted or not.
    pub(super) fn tasks(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.images).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter_map(|name| name.rsplit_once('.').map(|(task, _)| task.to_owned()))
            .collect()
    }
}

/// Takes away what is mounted there, if anything is.
pub(super) fn unmount(dir: &Path) -> nix::Result<()> {
    for _ in 0..MOST_MOUNTS {
        if !is_mounted(dir) {
            break;
        }
        // Who still looks at a file of it, an operator for example, holds its space and nothing else up.
        nix::mount::umount2(dir, nix::mount::MntFlags::MNT_DETACH)?;
    }
    Ok(())
}

/// Whether something is mounted there: it lies on another device than its parent.
pub(super) fn is_mounted(dir: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    match (device(dir), dir.parent().and_then(device)) {
        (Some(here), Some(above)) => here != above,
        _ => false,
    }
}

pub(super) fn run(command: &mut Command) -> std::result::Result<(), String> {
    let done = command.output().map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("{} ({})", said.trim(), done.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_large_as_it_says_and_goes_without_a_trace() {
        let home = tempfile::tempdir().expect("a directory");
        let (storage, dir) = (
            Storage::new(home.path().join("disks")),
            home.path().join("tasks/t1"),
        );
        storage.prepare("t1", &dir, 1).expect("makes");
        fs::write(dir.join("kept"), "kept").expect("writes");
        storage.prepare("t1", &dir, 1).expect("twice is fine");
        assert_eq!(fs::read_to_string(dir.join("kept")).expect("reads"), "kept");
        assert_eq!(storage.tasks(), ["t1"]);
        // Space is promised, not filled: as many bytes as the disk has, and no more.
        let file = File::create(dir.join("large")).expect("creates");
        let mut room = GIB;
        while rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, room).is_err() {
            room -= GIB / 64;
        }
        assert!((GIB * 9 / 10..GIB).contains(&room), "{room}");
        let full = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, GIB + 1);
        assert_eq!(full, Err(rustix::io::Errno::NOSPC));
        storage
            .release("t1", &dir)
            .expect("goes, though somebody has a file of it open");
        drop(file);
        storage.release("t1", &dir).expect("twice is fine");
        assert!(!dir.join("kept").exists() && storage.tasks().is_empty());
        // What a crash left half made is made anew.
        fs::write(storage.image("t2").with_extension("new"), "half").expect("writes");
        storage
            .prepare("t2", &home.path().join("tasks/t2"), 1)
            .expect("makes");
        storage
            .release("t2", &home.path().join("tasks/t2"))
            .expect("goes");
    }
}
