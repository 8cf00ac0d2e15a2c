//! `/tmp` of an environment: a file system of its own size in a sparse file, so that the kernel says when it is full and
//! none of it counts as memory. Made from a template of that size, which is made once: `mkfs` is slow beside a function.
//! One more than there are in use lies ready of each size that was wanted lately, since copying and mounting take as long
//! as all the rest of an environment: the next one is made once an environment has begun.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::mount::{MntFlags, umount2};

const MIB: u64 = 1 << 20;
/// Mounts upon each other that are taken away; there is one.
const MOST_MOUNTS: usize = 4;
/// Disks that lie ready, each of another size: the sizes that were wanted last.
const MOST_SPARE: usize = 4;

pub(crate) struct Disks {
    folder: PathBuf,
    /// Held while a template is made.
    making: Mutex<()>,
    ready: Mutex<Ready>,
    /// Held while one is made that is to lie ready, one at a time.
    laying: Mutex<()>,
}

#[derive(Default)]
struct Ready {
    /// Size and name of each that lies ready, the one that was made first before the others.
    spare: VecDeque<(u32, String)>,
    /// By which name a disk was made that somebody has who asked by another.
    given: HashMap<String, String>,
    /// How many were made to lie ready; their names.
    made: u64,
    /// None is made any more: all are being taken away.
    closed: bool,
}

impl Disks {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            making: Mutex::new(()),
            ready: Mutex::default(),
            laying: Mutex::default(),
        }
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of that size: the one that lies ready, if there is one.
    ///
    /// # Errors
    /// It cannot be made; what was made is removed by [`Disks::remove`].
    pub(crate) fn take(&self, name: &str, mib: u32) -> io::Result<PathBuf> {
        let spare = {
            let mut ready = self.ready();
            let place = ready.spare.iter().position(|(size, _)| *size == mib);
            let spare = place.and_then(|place| ready.spare.remove(place));
            spare.map(|(_, spare)| {
                ready.given.insert(name.to_owned(), spare.clone());
                self.mount_point(&spare)
            })
        };
        match spare {
            Some(point) => Ok(point),
            None => self.make(name, mib),
        }
    }

    /// Makes one that lies ready, unless there is one of that size.
    pub(crate) fn lay_ready(&self, mib: u32) {
        let _laying = self.laying.lock().unwrap_or_else(PoisonError::into_inner);
        let name = {
            let mut ready = self.ready();
            if ready.closed || ready.spare.iter().any(|(size, _)| *size == mib) {
                return;
            }
            ready.made += 1;
            format!("spare-{}", ready.made)
        };
        let made = self.make(&name, mib);
        let gone = {
            let mut ready = self.ready();
            if made.is_err() || ready.closed {
                Some(name)
            } else {
                ready.spare.push_back((mib, name));
                let over = ready.spare.len() > MOST_SPARE;
                over.then(|| ready.spare.pop_front())
                    .flatten()
                    .map(|(_, name)| name)
            }
        };
        if let Some(name) = gone
            && let Err(error) = self.remove(&name)
        {
            tracing::warn!(disk = name, %error, "a disk that nobody wants is left over");
        }
        if let Err(error) = made {
            tracing::warn!(%error, "no disk lies ready for the next function");
        }
    }

    /// From now on none lies ready, and none is being made. Those that lie there are taken away.
    pub(crate) fn close(&self) -> io::Result<()> {
        let spare = {
            let mut ready = self.ready();
            ready.closed = true;
            std::mem::take(&mut ready.spare)
        };
        drop(self.laying.lock().unwrap_or_else(PoisonError::into_inner));
        spare.iter().try_for_each(|(_, name)| self.remove(name))
    }

    fn image(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.img"))
    }

    fn mount_point(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where it is mounted: everybody may write there.
    ///
    /// # Errors
    /// It cannot be made; what was made is removed by [`Disks::remove`].
    fn make(&self, name: &str, mib: u32) -> io::Result<PathBuf> {
        let template = self.template(mib)?;
        let (image, point) = (self.image(name), self.mount_point(name));
        run(Command::new("cp")
            .arg("--sparse=always")
            .arg("--reflink=auto")
            .arg(&template)
            .arg(&image))?;
        fs::create_dir_all(&point)?;
        // The tables of a sparse file are zeroes already: the kernel need not write them in the background.
        let options = "loop,noatime,noinit_itable,nosuid,nodev";
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", options])
            .arg(&image)
            .arg(&point))?;
        fs::set_permissions(&point, fs::Permissions::from_mode(0o1777))?;
        Ok(point)
    }

    fn template(&self, mib: u32) -> io::Result<PathBuf> {
        let path = self.folder.join(format!("template-{mib}"));
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if path.exists() {
            return Ok(path);
        }
        fs::create_dir_all(&self.folder)?;
        let unfinished = path.with_extension("new");
        File::create(&unfinished)?.set_len(u64::from(mib) * MIB)?;
        // No journal: nothing of an environment outlives a power failure. No space kept for root, who does not write.
        let features = [
            "-q",
            "-F",
            "-m",
            "0",
            "-O",
            "^has_journal",
            "-E",
            "lazy_itable_init=1,nodiscard",
        ];
        run(Command::new("mkfs.ext4").args(features).arg(&unfinished))?;
        fs::rename(&unfinished, &path)?;
        Ok(path)
    }

    /// Takes it away; one that is not there is no error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let given = self.ready().given.get(name).cloned();
        self.remove_made(given.as_deref().unwrap_or(name))?;
        self.ready().given.remove(name);
        Ok(())
    }

    fn remove_made(&self, name: &str) -> io::Result<()> {
        let point = self.mount_point(name);
        for _ in 0..MOST_MOUNTS {
            match umount2(&point, MntFlags::MNT_DETACH) {
                Ok(()) => {}
                // Nothing is mounted there, or there is no such place.
                Err(nix::Error::EINVAL | nix::Error::ENOENT) => break,
                Err(error) => return Err(error.into()),
            }
        }
        absent(fs::remove_dir(&point))?;
        absent(fs::remove_file(self.image(name)))
    }

    /// Takes all away, as one that died left them.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries.flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let name = name.strip_suffix(".img").unwrap_or(&name);
            if !name.starts_with("template-") {
                self.remove_made(name)?;
            }
        }
        Ok(())
    }
}

fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let done = command
        .output()
        .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!(
        "{name}: {} ({})",
        said.trim(),
        done.status
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Smaller than any function has: what is written here lands on the machine's own disk.
    const SMALL: u32 = 64;

    #[test]
    fn a_disk_is_as_large_as_it_says_and_goes_without_a_trace() {
        let home = tempfile::Builder::new()
            .prefix("rs-sandbox-")
            .tempdir()
            .expect("a directory");
        let disks = Disks::new(home.path().join("tmp"));
        let (a, b) = (
            disks.make("a", SMALL).expect("made"),
            disks.make("b", SMALL).expect("made"),
        );
        fs::write(a.join("x"), vec![0u8; 12 << 20]).expect("fits");
        assert!(!b.join("x").exists());
        let full = fs::write(b.join("x"), vec![0u8; 70 << 20]).expect_err("does not fit");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disks.remove("a").expect("removed");
        disks.remove("a").expect("twice is fine");
        disks.sweep().expect("swept");
        assert_eq!(names(&home), ["template-64"]);
    }

    fn names(home: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(home.path().join("tmp")).expect("reads");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a name");
        let mut names: Vec<_> = entries.flatten().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn the_next_one_lies_ready_whole_and_of_its_size() {
        let home = tempfile::Builder::new()
            .prefix("rs-sandbox-")
            .tempdir()
            .expect("a directory");
        let disks = Disks::new(home.path().join("tmp"));
        disks.make("first", SMALL).expect("made");
        for mib in [SMALL, SMALL + 1, SMALL] {
            disks.lay_ready(mib);
        }
        assert_eq!(disks.ready().spare.len(), 2, "one of each size");
        let taken = disks.take("a", SMALL).expect("there");
        assert!(taken.ends_with("spare-1"), "{taken:?}");
        fs::write(taken.join("x"), vec![0u8; 12 << 20]).expect("fits");
        let full = fs::write(taken.join("y"), vec![0u8; 54 << 20]).expect_err("does not fit");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disks.remove("a").expect("removed by the name it was asked for");
        disks.remove("a").expect("twice is fine");
        // More sizes than are kept: the one that was made first goes.
        for mib in SMALL + 2..SMALL + 6 {
            disks.lay_ready(mib);
        }
        let sizes: Vec<_> = disks.ready().spare.iter().map(|(size, _)| *size).collect();
        assert_eq!(sizes.len(), MOST_SPARE);
        assert!(!sizes.contains(&(SMALL + 1)), "{sizes:?}");
        disks.close().expect("closed");
        disks.lay_ready(SMALL);
        disks.remove("first").expect("removed");
        let left = names(&home);
        assert!(left.iter().all(|name| name.starts_with("template-")), "{left:?}");
    }
}
