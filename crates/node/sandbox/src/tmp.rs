//! `/tmp` of an environment: a file system of its own size in a sparse file, so that the kernel says when it is full and
//! none of it counts as memory. Made from a template of that size, which is made once: `mkfs` is slow beside a function.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use nix::mount::{MntFlags, umount2};

const MIB: u64 = 1 << 20;
/// Mounts upon each other that are taken away; there is one.
const MOST_MOUNTS: usize = 4;

pub(crate) struct Disks {
    folder: PathBuf,
    /// Held while a template is made.
    making: Mutex<()>,
}

impl Disks {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            making: Mutex::new(()),
        }
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
    pub(crate) fn make(&self, name: &str, mib: u32) -> io::Result<PathBuf> {
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
        let _making = self
            .making
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
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
                self.remove(name)?;
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

    #[test]
    fn a_disk_is_as_large_as_it_says_and_goes_without_a_trace() {
        let home = tempfile::Builder::new()
            .prefix("rs-sandbox-")
            .tempdir()
            .expect("a directory");
        let disks = Disks::new(home.path().join("tmp"));
        let (a, b) = (
            disks.make("a", 512).expect("made"),
            disks.make("b", 512).expect("made"),
        );
        fs::write(a.join("x"), vec![0u8; 100 << 20]).expect("fits");
        assert!(!b.join("x").exists());
        let full = fs::write(b.join("x"), vec![0u8; 520 << 20]).expect_err("does not fit");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disks.remove("a").expect("removed");
        disks.remove("a").expect("twice is fine");
        disks.sweep().expect("swept");
        let left: Vec<_> = fs::read_dir(home.path().join("tmp"))
            .expect("reads")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(left, ["template-512"]);
    }
}
