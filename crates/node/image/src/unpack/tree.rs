//! The directory a layer is unpacked into, seen only through its own descriptor. Names from an archive are resolved
//! one level at a time below that descriptor and never through a symbolic link, so that no sequence of entries can
//! place a file anywhere else; what overlayfs needs (whiteouts, opaque directories) is made here and nowhere else.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;

use super::Refusal;
use super::stream::show;

const OPAQUE: &str = "trusted.overlay.opaque";
const DIRECTORY: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Stay below the root, through real directories of one file system.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Dir,
    /// A character device 0:0, which only this unpacker makes.
    Whiteout,
    Symlink,
    Other,
}

pub(super) struct Tree {
    root: OwnedFd,
    /// The directory used last, as most entries follow their siblings.
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Tree {
    pub(super) fn open(root: &Path) -> rustix::io::Result<Self> {
        let root = fs::open(
            root,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Self { root, last: None })
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// A directory that may be gone or replaced since: `None` then.
    pub(super) fn existing(&self, path: &[u8]) -> Result<Option<OwnedFd>, Refusal> {
        if path.is_empty() {
            return Ok(Some(self.root.try_clone().map_err(Refusal::Io)?));
        }
        match fs::openat2(&self.root, path, DIRECTORY, Mode::empty(), BENEATH) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(Errno::LOOP) => Err(through_link(path)),
            Err(error) => Err(error.into()),
        }
    }

    /// The directory that holds an entry. Directories an archive left out are made, as others do: 0755, root.
    pub(super) fn parent(&mut self, components: &[&[u8]]) -> Result<OwnedFd, Refusal> {
        let path = components.join(&b'/');
        if let Some((at, fd)) = &self.last
            && *at == path
        {
            return fd.try_clone().map_err(Refusal::Io);
        }
        let found = match self.existing(&path)? {
            Some(fd) => fd,
            None => self.make_parents(components)?,
        };
        let copy = found.try_clone().map_err(Refusal::Io)?;
        self.last = Some((path, copy));
        Ok(found)
    }

    fn make_parents(&self, components: &[&[u8]]) -> Result<OwnedFd, Refusal> {
        let mut at = self.root.try_clone().map_err(Refusal::Io)?;
        for (depth, &component) in components.iter().enumerate() {
            let hidden = match look(&at, component)? {
                Found::Dir => {
                    at = fs::openat(&at, component, DIRECTORY, Mode::empty())?;
                    continue;
                }
                Found::Nothing => false,
                Found::Whiteout => {
                    fs::unlinkat(&at, component, AtFlags::empty())?;
                    true
                }
                Found::Symlink => return Err(through_link(&components[..=depth].join(&b'/'))),
                Found::Other => {
                    let path = show(&components[..=depth].join(&b'/'));
                    return Err(Refusal::Hostile(format!(
                        "{path} is a file and has entries below it"
                    )));
                }
            };
            fs::mkdirat(&at, component, Mode::from_raw_mode(0o755))?;
            fs::chmodat(&at, component, Mode::from_raw_mode(0o755), AtFlags::empty())?;
            if hidden {
                make_opaque(&at, component)?;
            }
            at = fs::openat(&at, component, DIRECTORY, Mode::empty())?;
        }
        Ok(at)
    }

    /// Takes away what an earlier entry of the same layer put there.
    pub(super) fn clear(&mut self, parent: &OwnedFd, name: &[u8], found: Found) -> Result<(), Refusal> {
        match found {
            Found::Nothing => {}
            Found::Dir => {
                self.last = None;
                std::fs::remove_dir_all(proc_path(parent, name)).map_err(Refusal::Io)?;
            }
            Found::Whiteout | Found::Symlink | Found::Other => fs::unlinkat(parent, name, AtFlags::empty())?,
        }
        Ok(())
    }
}

pub(super) fn look(parent: &OwnedFd, name: &[u8]) -> Result<Found, Refusal> {
    let stat = match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(Found::Nothing),
        Err(error) => return Err(error.into()),
    };
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Found::Dir,
        FileType::Symlink => Found::Symlink,
        FileType::CharacterDevice => Found::Whiteout,
        _ => Found::Other,
    })
}

/// Hides `name` of the layers below.
pub(super) fn make_whiteout(parent: &OwnedFd, name: &[u8]) -> Result<(), Refusal> {
    fs::mknodat(
        parent,
        name,
        FileType::CharacterDevice,
        Mode::empty(),
        fs::makedev(0, 0),
    )?;
    Ok(())
}

/// Hides everything the layers below have in the directory `name`.
pub(super) fn make_opaque(parent: &OwnedFd, name: &[u8]) -> Result<(), Refusal> {
    let dir = open_dir(parent, name)?;
    set_opaque(&dir)
}

pub(super) fn set_opaque(dir: &OwnedFd) -> Result<(), Refusal> {
    fs::fsetxattr(dir, OPAQUE, b"y", XattrFlags::empty())?;
    Ok(())
}

pub(super) fn open_dir(parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Refusal> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(parent, name, flags, Mode::empty())?)
}

pub(super) fn create_file(parent: &OwnedFd, name: &[u8]) -> Result<File, Refusal> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(fs::openat(
        parent,
        name,
        flags,
        Mode::from_raw_mode(0o600),
    )?))
}

/// A path to a name in an open directory, for calls that take paths only. The last component is the only one the
/// caller must not follow.
pub(super) fn proc_path(parent: &OwnedFd, name: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(&format!("/proc/self/fd/{}", parent.as_raw_fd())).join(std::ffi::OsStr::from_bytes(name))
}

fn through_link(path: &[u8]) -> Refusal {
    Refusal::Hostile(format!(
        "{} leads through a symbolic link of the same layer",
        show(path)
    ))
}
