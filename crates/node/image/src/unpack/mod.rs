//! A layer becomes a directory that overlayfs can use as it is. Each layer is unpacked by itself, without the ones
//! below it, so that images share what they have in common and layers can be unpacked side by side. Content is
//! hostile until proven otherwise: it is confined (see [`tree`]), bounded, and refused with the entry's name.
//!
//! A directory that an archive does not list itself gets mode 0755 and root as owner, since the layers below are
//! not looked at; builders that record changes list every directory they touch.

mod stream;
mod tree;

use std::io::{self, Read, Write};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use stream::{Entry, show};
pub(crate) use stream::{Kind, Stream, StreamError};
use tree::{Found, Tree, create_file, look, make_opaque, make_whiteout, open_dir, proc_path, set_opaque};

/// Deepest path of an entry, in components.
const MAX_DEPTH: usize = 256;
/// Bytes of directory names kept until their times are set.
const MAX_KEPT: usize = 128 << 20;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What the file system of Docker's first years kept for itself; never content.
const AUFS: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// Why a layer was not unpacked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The archive wants something that no honest layer wants, or that is not supported.
    Hostile(String),
    /// The archive is damaged.
    Broken(String),
    Io(io::Error),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Read(error) => Self::Io(error),
            StreamError::Invalid(why) => Self::Broken(why),
        }
    }
}

/// Unpacks a tar stream into the empty directory `root`; returns the number of entries. Reads the stream to its
/// end. Nothing is synced here.
pub(crate) fn unpack(reader: impl Read, root: &Path, max_entries: u64) -> Result<u64, Refusal> {
    let mut stream = Stream::new(reader);
    let mut unpacker = Unpacker {
        tree: Tree::open(root)?,
        times: Vec::new(),
        kept: 0,
        buffer: vec![0; 128 << 10],
    };
    fs::fchmod(unpacker.tree.root(), Mode::from_raw_mode(0o755))?;
    let mut entries = 0;
    while let Some(entry) = stream.next()? {
        entries += 1;
        if entries > max_entries {
            return Err(Refusal::Hostile(format!("more than {max_entries} entries")));
        }
        unpacker
            .entry(&entry, &mut stream)
            .map_err(|refusal| at(&entry, refusal))?;
    }
    stream.drain().map_err(Refusal::Io)?;
    unpacker.finish()?;
    Ok(entries)
}

/// Names the entry in errors of the file system, which do not say where they happened.
fn at(entry: &Entry, refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Io(error) if error.raw_os_error().is_some() && !crate::error::is_full(&error) => {
            let hint = match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::PERM) => " (unpacking owners and whiteouts needs root)",
                Some(Errno::NOTSUP) => " (the store's file system has no such attributes)",
                _ => "",
            };
            Refusal::Io(io::Error::new(
                error.kind(),
                format!("{}: {error}{hint}", show(&entry.path)),
            ))
        }
        other => other,
    }
}

struct Unpacker {
    tree: Tree,
    /// Times of directories, set last since every new name in a directory changes them.
    times: Vec<(Vec<u8>, (i64, u32))>,
    kept: usize,
    buffer: Vec<u8>,
}

impl Unpacker {
    fn entry(&mut self, entry: &Entry, content: &mut impl Read) -> Result<(), Refusal> {
        let components = split(&entry.path, false)?;
        let Some((&name, parents)) = components.split_last() else {
            return self.root_entry(entry);
        };
        if components.iter().any(|c| AUFS.contains(c)) {
            return Ok(());
        }
        if parents.iter().any(|c| c.starts_with(WHITEOUT)) {
            return Err(Refusal::Hostile(format!(
                "{} lies below a whiteout",
                show(&entry.path)
            )));
        }
        let parent = self.tree.parent(parents)?;
        if name == OPAQUE {
            return match parents.split_last() {
                Some((&dir, above)) => make_opaque(&self.tree.parent(above)?, dir),
                None => set_opaque(self.tree.root()),
            };
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            if matches!(hidden, b"" | b"." | b"..") || hidden.starts_with(WHITEOUT) {
                return Err(Refusal::Hostile(format!(
                    "{} is no valid whiteout",
                    show(&entry.path)
                )));
            }
            // A whiteout speaks of the layers below; what this layer itself has at the name stays.
            return match look(&parent, hidden)? {
                Found::Nothing => make_whiteout(&parent, hidden),
                Found::Dir => make_opaque(&parent, hidden),
                Found::Whiteout | Found::Symlink | Found::Other => Ok(()),
            };
        }
        let found = look(&parent, name)?;
        match entry.kind {
            Kind::Dir => {
                if found != Found::Dir {
                    self.tree.clear(&parent, name, found)?;
                    fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700))?;
                }
                let dir = open_dir(&parent, name)?;
                dress(&dir, entry)?;
                if found == Found::Whiteout {
                    set_opaque(&dir)?;
                }
                self.keep(components.join(&b'/'), entry.mtime)
            }
            Kind::File => {
                self.tree.clear(&parent, name, found)?;
                let mut file = create_file(&parent, name)?;
                copy(content, &mut file, entry.size, &mut self.buffer)?;
                let file = file.into();
                dress(&file, entry)?;
                fs::futimens(&file, &times(entry.mtime)).map_err(Refusal::from)
            }
            Kind::HardLink => self.hard_link(entry, &components, found),
            Kind::Symlink | Kind::Fifo => {
                self.tree.clear(&parent, name, found)?;
                if entry.kind == Kind::Symlink {
                    if entry.link.is_empty() {
                        return Err(Refusal::Broken(format!(
                            "{}: a link to nowhere",
                            show(&entry.path)
                        )));
                    }
                    fs::symlinkat(entry.link.as_slice(), &parent, name)?;
                } else {
                    fs::mknodat(&parent, name, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
                }
                let (uid, gid) = owner(entry);
                fs::chownat(&parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
                if entry.kind == Kind::Fifo {
                    fs::chmodat(&parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
                }
                for (key, value) in wanted_xattrs(entry)? {
                    fs::lsetxattr(proc_path(&parent, name), key, value, XattrFlags::empty())?;
                }
                Ok(fs::utimensat(
                    &parent,
                    name,
                    &times(entry.mtime),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?)
            }
            Kind::CharDevice | Kind::BlockDevice => Err(Refusal::Hostile(format!(
                "{}: device nodes are not allowed in images",
                show(&entry.path)
            ))),
        }
    }

    fn root_entry(&mut self, entry: &Entry) -> Result<(), Refusal> {
        if entry.kind != Kind::Dir {
            return Err(Refusal::Hostile(
                "the root of the layer is not a directory".to_owned(),
            ));
        }
        dress(self.tree.root(), entry)?;
        self.keep(Vec::new(), entry.mtime)
    }

    fn hard_link(&mut self, entry: &Entry, components: &[&[u8]], found: Found) -> Result<(), Refusal> {
        let words = || format!("{} is a hard link to {}", show(&entry.path), show(&entry.link));
        // Some builders write the target from the root; it is the layer's root that is meant.
        let target = split(&entry.link, true)?;
        let Some((&target_name, above)) = target.split_last() else {
            return Err(Refusal::Hostile(format!("{}, a directory", words())));
        };
        if target == components {
            return Err(Refusal::Hostile(format!("{}, itself", words())));
        }
        let missing = || Refusal::Hostile(format!("{}, which this layer does not carry", words()));
        let target_dir = self.tree.existing(&above.join(&b'/'))?.ok_or_else(missing)?;
        match look(&target_dir, target_name)? {
            Found::Nothing | Found::Whiteout => return Err(missing()),
            Found::Dir => return Err(Refusal::Hostile(format!("{}, a directory", words()))),
            Found::Symlink | Found::Other => {}
        }
        let Some((&name, parents)) = components.split_last() else {
            return Ok(());
        };
        let parent = self.tree.parent(parents)?;
        if found == Found::Dir && target.starts_with(components) {
            return Err(Refusal::Hostile(format!("{}, below itself", words())));
        }
        self.tree.clear(&parent, name, found)?;
        Ok(fs::linkat(
            &target_dir,
            target_name,
            &parent,
            name,
            AtFlags::empty(),
        )?)
    }

    fn keep(&mut self, path: Vec<u8>, mtime: (i64, u32)) -> Result<(), Refusal> {
        self.kept += path.len() + 64;
        if self.kept > MAX_KEPT {
            return Err(Refusal::Hostile(
                "too many directories with long names".to_owned(),
            ));
        }
        self.times.push((path, mtime));
        Ok(())
    }

    fn finish(self) -> Result<(), Refusal> {
        for (path, mtime) in self.times {
            // Gone when a later entry of the layer took its place.
            let Ok(Some(dir)) = self.tree.existing(&path) else {
                continue;
            };
            fs::utimensat(&dir, ".", &times(mtime), AtFlags::empty())?;
        }
        Ok(())
    }
}

/// The components of a path inside the layer. `..` never is one; a leading `/` only where `rooted` says so.
fn split(path: &[u8], rooted: bool) -> Result<Vec<&[u8]>, Refusal> {
    if path.starts_with(b"/") && !rooted && path.iter().any(|&b| b != b'/') {
        return Err(Refusal::Hostile(format!("{} is an absolute path", show(path))));
    }
    let components: Vec<&[u8]> = path
        .split(|&b| b == b'/')
        .filter(|c| !matches!(*c, b"" | b"."))
        .collect();
    if components.contains(&b"..".as_slice()) {
        return Err(Refusal::Hostile(format!("{} leads out of the layer", show(path))));
    }
    if components.len() > MAX_DEPTH {
        return Err(Refusal::Hostile(format!(
            "{} is more than {MAX_DEPTH} levels deep",
            show(path)
        )));
    }
    Ok(components)
}

fn copy(from: &mut impl Read, to: &mut impl Write, size: u64, buffer: &mut [u8]) -> Result<(), Refusal> {
    let mut left = size;
    while left > 0 {
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = match from.read(&mut buffer[..want]) {
            Ok(0) => return Err(Refusal::Broken("the archive ends inside a file".to_owned())),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Refusal::Io(error)),
        };
        to.write_all(&buffer[..got]).map_err(Refusal::Io)?;
        left -= got as u64;
    }
    Ok(())
}

/// Owner, then mode (a change of owner clears set-id bits), then attributes (it clears capabilities too).
fn dress(fd: &std::os::fd::OwnedFd, entry: &Entry) -> Result<(), Refusal> {
    let (uid, gid) = owner(entry);
    fs::fchown(fd, uid, gid)?;
    fs::fchmod(fd, Mode::from_raw_mode(entry.mode))?;
    for (key, value) in wanted_xattrs(entry)? {
        fs::fsetxattr(fd, key, value, XattrFlags::empty())?;
    }
    Ok(())
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
}

/// Name and value.
type Attribute<'a> = (&'a [u8], &'a [u8]);

/// Attributes that are content. Labels of the builder's machine are not; those that speak to overlayfs are refused,
/// since they would make it look elsewhere.
fn wanted_xattrs(entry: &Entry) -> Result<Vec<Attribute<'_>>, Refusal> {
    const LABELS: [&[u8]; 5] = [
        b"security.selinux",
        b"security.SMACK64",
        b"security.apparmor",
        b"security.ima",
        b"security.evm",
    ];
    let mut wanted = Vec::new();
    for (key, value) in &entry.xattrs {
        if LABELS.contains(&key.as_slice()) {
            continue;
        }
        let content = key == b"security.capability"
            || key.starts_with(b"system.posix_acl_")
            || (key.starts_with(b"user.") && !key.starts_with(b"user.overlay."));
        if !content || key.contains(&0) {
            let path = show(&entry.path);
            return Err(Refusal::Hostile(format!(
                "{path}: attribute '{}' is not allowed in images",
                show(key)
            )));
        }
        wanted.push((key.as_slice(), value.as_slice()));
    }
    Ok(wanted)
}

fn times((tv_sec, tv_nsec): (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec,
        tv_nsec: tv_nsec.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

#[cfg(test)]
mod tests;
