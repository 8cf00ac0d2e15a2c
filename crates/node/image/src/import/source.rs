//! An archive as a set of named files, whether it is a directory or a tar. A tar is not extracted: its files are
//! read in place. A directory is read below its own descriptor, through no symbolic link.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::error::Context;
use crate::store::Staging;
use crate::unpack::{Kind, Stream, StreamError};
use crate::zstd::{self, Zstd};
use crate::{Error, Limits, Result};

/// Files of one archive.
const MAX_FILES: usize = 100_000;
/// A link in an archive may lead to a link; not more often.
const MAX_LINKS: u32 = 8;

pub(super) struct Source {
    path: PathBuf,
    form: Form,
}

enum Form {
    Dir(OwnedFd),
    Tar {
        file: File,
        members: HashMap<String, Member>,
    },
}

enum Member {
    File { offset: u64, size: u64 },
    Link(String),
}

/// A part of a file.
struct Slice<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Source {
    /// Opens a layout or archive; a compressed one is decompressed into `staging`.
    pub(super) fn open(path: &Path, staging: &Staging, limits: &Limits) -> Result<Self> {
        let mut file = File::open(path).doing("open", path)?;
        if file.metadata().doing("examine", path)?.is_dir() {
            return Ok(Self {
                path: path.to_owned(),
                form: Form::Dir(file.into()),
            });
        }
        let mut magic = [0; 4];
        let read = file.read_at(&mut magic, 0).doing("read", path)?;
        match magic {
            [0x1f, 0x8b, ..] if read >= 2 => {
                file = decompress(MultiGzDecoder::new(file), path, staging, limits)?;
            }
            zstd::MAGIC => {
                let reader = Zstd::new(BufReader::new(file)).doing("read", path)?;
                file = decompress(reader, path, staging, limits)?;
            }
            _ => {}
        }
        let members = index(&file, path)?;
        Ok(Self {
            path: path.to_owned(),
            form: Form::Tar { file, members },
        })
    }

    /// Whether the archive has a file of this name.
    pub(super) fn has(&self, name: &str) -> Result<bool> {
        match &self.form {
            Form::Tar { members, .. } => Ok(members.contains_key(name)),
            Form::Dir(dir) => match open_below(dir, name) {
                Ok(_) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(error) => Err(self.broken(name, &error.into())),
            },
        }
    }

    /// The content of a file.
    pub(super) fn open_file(&self, name: &str) -> Result<Box<dyn Read + '_>> {
        match &self.form {
            Form::Dir(dir) => match open_below(dir, name) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(self.broken(name, &error.into())),
            },
            Form::Tar { file, .. } => {
                let (at, left) = self.member(name)?;
                Ok(Box::new(Slice { file, at, left }))
            }
        }
    }

    /// Bytes of a file.
    pub(super) fn size(&self, name: &str) -> Result<u64> {
        match &self.form {
            Form::Dir(dir) => {
                let file = open_below(dir, name).map_err(|error| self.broken(name, &error.into()))?;
                file.metadata()
                    .map(|meta| meta.len())
                    .map_err(|error| self.broken(name, &error))
            }
            Form::Tar { .. } => Ok(self.member(name)?.1),
        }
    }

    fn member(&self, name: &str) -> Result<(u64, u64)> {
        let Form::Tar { members, .. } = &self.form else {
            return Err(self.refuse("it is no tar file".to_owned()));
        };
        let mut name = name.to_owned();
        for _ in 0..=MAX_LINKS {
            match members.get(&name) {
                Some(Member::File { offset, size }) => return Ok((*offset, *size)),
                Some(Member::Link(target)) => name.clone_from(target),
                None => return Err(self.refuse(format!("{} is missing", crate::digest::clip(&name)))),
            }
        }
        Err(self.refuse(format!("{} is a link in a circle", crate::digest::clip(&name))))
    }

    pub(super) fn label(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn refuse(&self, why: String) -> Error {
        Error::BadArchive {
            path: self.path.clone(),
            why,
        }
    }

    pub(super) fn broken(&self, name: &str, error: &io::Error) -> Error {
        self.refuse(format!("{}: {error}", crate::digest::clip(name)))
    }
}

impl Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.file.read_at(&mut buffer[..want], self.at)?;
        if got == 0 && want > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += got as u64;
        self.left -= got as u64;
        Ok(got)
    }
}

fn open_below(dir: &OwnedFd, name: &str) -> rustix::io::Result<File> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    // Not blocking on a fifo; reading one that was put there fails or ends at once.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat2(dir, name, flags, Mode::empty(), resolve).map(File::from)
}

fn decompress(from: impl Read, path: &Path, staging: &Staging, limits: &Limits) -> Result<File> {
    let plain = staging.path().join("archive.tar");
    let mut to = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&plain)
        .doing("create", &plain)?;
    let mut from = from.take(limits.unpacked_bytes.saturating_add(1));
    let copied = io::copy(&mut from, &mut to).map_err(|error| match error.raw_os_error() {
        Some(_) => Error::io("decompress into", &plain, error),
        None => Error::BadArchive {
            path: path.to_owned(),
            why: error.to_string(),
        },
    })?;
    if copied > limits.unpacked_bytes {
        let what = format!("the content of {}", path.display());
        return Err(Error::TooLarge {
            what,
            limit: limits.unpacked_bytes,
            unit: "bytes",
        });
    }
    to.rewind().doing("read", &plain)?;
    Ok(to)
}

/// Where each file of a tar begins.
fn index(file: &File, path: &Path) -> Result<HashMap<String, Member>> {
    let refuse = |why: String| Error::BadArchive {
        path: path.to_owned(),
        why,
    };
    let size = file.metadata().doing("examine", path)?.len();
    let mut stream = Stream::new(Slice {
        file,
        at: 0,
        left: size,
    });
    let mut members = HashMap::new();
    loop {
        let entry = match stream.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(members),
            Err(StreamError::Read(error)) => return Err(Error::io("read", path, error)),
            Err(StreamError::Invalid(why)) => return Err(refuse(why)),
        };
        let name =
            String::from_utf8(entry.path).map_err(|_| refuse("a file's name is not UTF-8".to_owned()))?;
        let link = String::from_utf8_lossy(&entry.link).into_owned();
        let name = normal(&name);
        let member = match entry.kind {
            Kind::File => Member::File {
                offset: stream.inner().at,
                size: entry.size,
            },
            Kind::HardLink => Member::Link(normal(&link)),
            // Relative to the directory of the link, as older `docker save` writes shared layers.
            Kind::Symlink => match name.rsplit_once('/') {
                Some((dir, _)) if !link.starts_with('/') => Member::Link(normal(&format!("{dir}/{link}"))),
                _ => Member::Link(normal(&link)),
            },
            _ => continue,
        };
        members.insert(name, member);
        if members.len() > MAX_FILES {
            return Err(refuse(format!("it has more than {MAX_FILES} files")));
        }
    }
}

/// A name without `.` and `..`: names are keys here, nothing is opened by them.
fn normal(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
