//! Archives as they are uploaded: what is in them, checked before anything is written. Names that lead out of the folder,
//! lies about sizes, and what cannot be unpacked are found here, each with the entry and its place in the archive.
//! Source: the "ZIP File Format Specification" (APPNOTE) of PKWARE.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::Crc;
use flate2::read::DeflateDecoder;

/// What is wrong with an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it is no zip archive: {0}")]
    NotAnArchive(&'static str),
    #[error("entry {name:?} at byte {at}: {reason}")]
    Entry { name: String, at: usize, reason: String },
    #[error("unzipped it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it has nothing in it")]
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File {
        executable: bool,
    },
    /// Its content is where it leads, which is looked at only where it is mounted.
    Link,
}

/// Something in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: Kind,
    /// Bytes once unpacked.
    pub size: u64,
    packed: u64,
    method: u16,
    crc: u32,
    /// Where the local header is.
    at: usize,
}

/// A readable archive. Paths are relative, of plain components parted by `/`; the last of several of one path counts.
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    pub entries: BTreeMap<String, Entry>,
}

const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const CENTRAL: &[u8] = b"PK\x01\x02";
const CENTRAL_SIZE: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const MAX_COMMENT: usize = 65_535;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Bytes of where a link leads.
const MAX_LINK: u64 = 4096;
/// Bytes of a path.
const MAX_PATH: usize = 1024;

impl<'a> Archive<'a> {
    /// Reads the directory of an archive whose content is at most `most` bytes.
    pub(crate) fn open(bytes: &'a [u8], most: u64) -> Result<Self, Fault> {
        let end = end_of(bytes).ok_or(Fault::NotAnArchive("its end is missing"))?;
        let number = |at| u16_at(bytes, end + at).unwrap_or_default();
        if number(4) != 0 || number(6) != 0 || number(8) != number(10) {
            return Err(Fault::NotAnArchive("it is a part of several"));
        }
        let (count, start) = (number(10), u32_at(bytes, end + 16).unwrap_or_default());
        if count == u16::MAX || start == u32::MAX {
            return Err(Fault::NotAnArchive(
                "it is in the format Zip64, which only larger ones need",
            ));
        }
        let mut archive = Self {
            bytes,
            entries: BTreeMap::new(),
        };
        let (mut at, mut total) = (start as usize, 0_u64);
        for _ in 0..count {
            let (name, entry, next) = central(bytes.get(..end).unwrap_or_default(), at)?;
            at = next;
            total = total.saturating_add(entry.size);
            if total > most {
                return Err(Fault::TooLarge(most));
            }
            if let Some(path) = plain(&name, entry.at)? {
                archive.entries.insert(path, entry);
            }
        }
        if archive.entries.values().all(|entry| entry.kind == Kind::Folder) {
            return Err(Fault::Empty);
        }
        archive.nothing_below_files()?;
        Ok(archive)
    }

    /// What cannot be both a file and a folder.
    fn nothing_below_files(&self) -> Result<(), Fault> {
        for (path, entry) in &self.entries {
            let mut above = path.as_str();
            while let Some((parent, _)) = above.rsplit_once('/') {
                if self
                    .entries
                    .get(parent)
                    .is_some_and(|parent| parent.kind != Kind::Folder)
                {
                    return Err(fault(path, entry.at, format!("{parent:?} is not a folder")));
                }
                above = parent;
            }
        }
        Ok(())
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.entries.values().map(|entry| entry.size).sum()
    }

    /// Unpacks a file.
    pub(crate) fn read(&self, path: &str, entry: &Entry) -> Result<Vec<u8>, Fault> {
        let wrong = |reason: &str| fault(path, entry.at, reason);
        let head = self.bytes.get(entry.at..).unwrap_or_default();
        if !head.starts_with(LOCAL) {
            return Err(wrong("it is not where the directory says it is"));
        }
        let skip = u16_at(head, 26).zip(u16_at(head, 28));
        let (name, extra) = skip.ok_or_else(|| wrong("it ends too early"))?;
        let from = LOCAL_SIZE + usize::from(name) + usize::from(extra);
        let packed = usize::try_from(entry.packed).unwrap_or(usize::MAX);
        let data = head.get(from..from.saturating_add(packed));
        let data = data.ok_or_else(|| wrong("it ends too early"))?;
        let mut out = Vec::new();
        let read = match entry.method {
            STORED => data.take(entry.size + 1).read_to_end(&mut out),
            DEFLATED => DeflateDecoder::new(data)
                .take(entry.size + 1)
                .read_to_end(&mut out),
            _ => return Err(wrong("it is neither stored nor deflated")),
        };
        read.map_err(|_| wrong("it cannot be inflated"))?;
        if out.len() as u64 != entry.size {
            return Err(wrong("its size is not what the directory says"));
        }
        let mut crc = Crc::new();
        crc.update(&out);
        match crc.sum() == entry.crc {
            true => Ok(out),
            false => Err(wrong("its checksum is not what the directory says")),
        }
    }
}

/// Where the record at the end begins.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_SIZE)?;
    let first = last.saturating_sub(MAX_COMMENT);
    (first..=last).rev().find(|at| {
        let comment = u16_at(bytes, at + 20).map(usize::from);
        bytes[*at..].starts_with(END) && comment == Some(bytes.len() - at - END_SIZE)
    })
}

/// An entry of the directory, and where the next one begins.
fn central(bytes: &[u8], at: usize) -> Result<(String, Entry, usize), Fault> {
    let row = bytes.get(at..).unwrap_or_default();
    if !row.starts_with(CENTRAL) || row.len() < CENTRAL_SIZE {
        return Err(Fault::NotAnArchive("its directory ends too early"));
    }
    let short = |at| u16_at(row, at).unwrap_or_default();
    let long = |at| u32_at(row, at).unwrap_or_default();
    let name_end = CENTRAL_SIZE + usize::from(short(28));
    let name = row.get(CENTRAL_SIZE..name_end);
    let name = name.ok_or(Fault::NotAnArchive("its directory ends too early"))?;
    let shown = String::from_utf8_lossy(name).into_owned();
    let wrong = |reason: &str| Err(fault(&shown, at, reason));
    if short(8) & 1 != 0 {
        return wrong("it is encrypted");
    }
    if ![STORED, DEFLATED].contains(&short(10)) {
        return wrong("it is neither stored nor deflated");
    }
    if [long(20), long(24), long(42)].contains(&u32::MAX) {
        return wrong("it is in the format Zip64, which only larger ones need");
    }
    if std::str::from_utf8(name).is_err() {
        return wrong("its name is not UTF-8");
    }
    // The upper half are the attributes of Unix, where the archive was made on one.
    let mode = long(38) >> 16;
    let kind = match mode & 0o170_000 {
        _ if shown.ends_with('/') => Kind::Folder,
        0o040_000 => Kind::Folder,
        0o120_000 => Kind::Link,
        0 | 0o100_000 => Kind::File {
            executable: mode & 0o111 != 0,
        },
        _ => return wrong("it is neither a file nor a folder"),
    };
    let entry = Entry {
        kind,
        size: long(24).into(),
        packed: long(20).into(),
        method: short(10),
        crc: long(16),
        at: long(42) as usize,
    };
    if kind == Kind::Link && entry.size > MAX_LINK {
        return wrong("it leads further than a path can");
    }
    let next = at + name_end + usize::from(short(30)) + usize::from(short(32));
    Ok((shown, entry, next))
}

/// The path, without what does not matter; none for the folder itself.
fn plain(name: &str, at: usize) -> Result<Option<String>, Fault> {
    let wrong = |reason: &str| Err(fault(name, at, reason));
    if name.starts_with('/') {
        return wrong("its path is absolute");
    }
    if name.contains('\0') || name.len() > MAX_PATH {
        return wrong("its path is none");
    }
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return wrong("its path leads out of the archive");
    }
    if parts.iter().any(|part| part.len() > 255) {
        return wrong("its path is none");
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}

fn fault(name: &str, at: usize, reason: impl Into<String>) -> Fault {
    Fault::Entry {
        name: name.chars().take(256).collect(),
        at,
        reason: reason.into(),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[path = "zip_tests.rs"]
pub(crate) mod tests;
