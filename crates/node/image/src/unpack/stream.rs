//! A tar stream from a stranger, read with a bound on everything that is kept in memory. Long names and extended
//! headers are read up to a limit instead of whatever length they claim, and what this reader does not understand
//! is refused by name instead of being passed over: two readers that see different files in one archive are how
//! checked content turns into something else.

use std::io::{self, Read};

/// Longest extended header or long name, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;
/// Longest path; the kernel's own limit with its terminating zero.
pub(crate) const MAX_PATH: usize = 4095;
const BLOCK: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Dir,
    Symlink,
    HardLink,
    Fifo,
    CharDevice,
    BlockDevice,
}

/// One member of the archive; the content of a file is read from the stream itself.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub(crate) mtime: (i64, u32),
    pub(crate) size: u64,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why the stream cannot be read on.
#[derive(Debug)]
pub(crate) enum StreamError {
    Read(io::Error),
    Invalid(String),
}

impl From<io::Error> for StreamError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// What extended headers say about the entry that follows.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads members one after the other; between two calls of `next`, the content of the first is readable.
pub(crate) struct Stream<R> {
    reader: R,
    remaining: u64,
    padding: u64,
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer
            .len()
            .min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        let got = self.reader.read(&mut buffer[..want])?;
        if got == 0 && want > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive ends inside a file",
            ));
        }
        self.remaining -= got as u64;
        Ok(got)
    }
}

impl<R: Read> Stream<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            remaining: 0,
            padding: 0,
        }
    }

    /// The next member, `None` at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, StreamError> {
        let mut extended = Extended::default();
        let mut pending = false;
        loop {
            self.skip_content()?;
            let mut block = [0u8; BLOCK];
            if !self.read_block(&mut block)? || block.iter().all(|&b| b == 0) {
                if pending {
                    return Err(invalid("an extended header describes no entry"));
                }
                return Ok(None);
            }
            check_sum(&block)?;
            let size = number(&block[124..136], "size")?;
            let size = u64::try_from(size).map_err(|_| invalid("a negative size"))?;
            match block[156] {
                b'L' => extended.path = Some(until_nul(&self.extension(size)?).to_vec()),
                b'K' => extended.link = Some(until_nul(&self.extension(size)?).to_vec()),
                b'x' => extended.read(&self.extension(size)?)?,
                b'g' => {
                    let mut global = Extended::default();
                    global.read(&self.extension(size)?)?;
                    if !global.is_empty() {
                        return Err(invalid(
                            "a global extended header that changes entries is not supported",
                        ));
                    }
                    continue;
                }
                flag => return self.entry(&block, flag, size, extended).map(Some),
            }
            pending = true;
        }
    }

    /// Reads to the end of the stream, so that whoever sits below has seen every byte.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        io::copy(&mut self.reader, &mut io::sink()).map(drop)
    }

    fn entry(
        &mut self,
        block: &[u8; BLOCK],
        flag: u8,
        size: u64,
        ext: Extended,
    ) -> Result<Entry, StreamError> {
        let path = ext.path.unwrap_or_else(|| name(block));
        let kind = match flag {
            b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Dir,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Dir,
            b'6' => Kind::Fifo,
            b'S' => {
                return Err(invalid(format!(
                    "{}: sparse files are not supported",
                    show(&path)
                )));
            }
            other => {
                let flag = char::from(other).escape_default();
                return Err(invalid(format!(
                    "{}: entries of type '{flag}' are not supported",
                    show(&path)
                )));
            }
        };
        // Everything but a file is a header alone, whatever size it claims.
        let size = if kind == Kind::File {
            ext.size.unwrap_or(size)
        } else {
            0
        };
        let id = |from_ext: Option<u64>, field: &[u8], what: &str| {
            let value = match from_ext {
                Some(value) => value,
                None => u64::try_from(number(field, what)?).unwrap_or(u64::MAX),
            };
            // The highest value means "leave as it is" to the kernel.
            u32::try_from(value)
                .ok()
                .filter(|&id| id != u32::MAX)
                .ok_or_else(|| invalid(format!("{what} {value}")))
        };
        let mtime = match ext.mtime {
            Some(mtime) => mtime,
            None => (number(&block[136..148], "mtime")?, 0),
        };
        let entry = Entry {
            kind,
            path,
            link: ext.link.unwrap_or_else(|| until_nul(&block[157..257]).to_vec()),
            mode: (number(&block[100..108], "mode")? & 0o7777) as u32,
            uid: id(ext.uid, &block[108..116], "uid")?,
            gid: id(ext.gid, &block[116..124], "gid")?,
            mtime,
            size,
            xattrs: ext.xattrs,
        };
        if entry.path.len() > MAX_PATH || entry.link.len() > MAX_PATH {
            return Err(invalid(format!("a path of more than {MAX_PATH} bytes")));
        }
        if entry.path.contains(&0) || entry.link.contains(&0) {
            return Err(invalid(format!("{}: a zero byte in a name", show(&entry.path))));
        }
        self.expect(size);
        Ok(entry)
    }

    /// The reader below, right before the current member's content.
    pub(crate) fn inner(&self) -> &R {
        &self.reader
    }

    fn expect(&mut self, size: u64) {
        self.remaining = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_content(&mut self) -> Result<(), StreamError> {
        let skip = self.remaining.saturating_add(self.padding);
        self.remaining = 0;
        self.padding = 0;
        if io::copy(&mut (&mut self.reader).take(skip), &mut io::sink())? < skip {
            return Err(invalid("the archive ends inside a file"));
        }
        Ok(())
    }

    /// False at a clean end; an end inside the block is an error.
    fn read_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, StreamError> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(invalid("the archive ends inside a header")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, StreamError> {
        if size > MAX_EXTENSION {
            return Err(invalid(format!(
                "an extended header of {size} bytes (at most {MAX_EXTENSION})"
            )));
        }
        self.expect(size);
        let mut data = vec![0; size as usize];
        self.read_exact(&mut data)?;
        Ok(data)
    }
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.path.is_none()
            && self.link.is_none()
            && self.size.is_none()
            && self.uid.is_none()
            && self.gid.is_none()
            && self.mtime.is_none()
            && self.xattrs.is_empty()
    }

    /// Records of the form `<length> <key>=<value>\n`, the length counting the whole record.
    fn read(&mut self, mut data: &[u8]) -> Result<(), StreamError> {
        while !data.is_empty() {
            let broken = || invalid("a broken extended header");
            let space = data.iter().position(|&b| b == b' ').ok_or_else(broken)?;
            let length: usize = text(&data[..space])
                .and_then(|t| t.parse().ok())
                .ok_or_else(broken)?;
            if length <= space + 1 || length > data.len() || data[length - 1] != b'\n' {
                return Err(broken());
            }
            let record = &data[space + 1..length - 1];
            data = &data[length..];
            let equals = record.iter().position(|&b| b == b'=').ok_or_else(broken)?;
            let (key, value) = (text(&record[..equals]).ok_or_else(broken)?, &record[equals + 1..]);
            self.set(key, value)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), StreamError> {
        let natural = || {
            let value = text(value).and_then(|t| t.parse::<u64>().ok());
            value.ok_or_else(|| invalid(format!("extended header '{key}' is no number")))
        };
        match key {
            "path" => self.path = Some(value.to_vec()),
            "linkpath" => self.link = Some(value.to_vec()),
            "size" => self.size = Some(natural()?),
            "uid" => self.uid = Some(natural()?),
            "gid" => self.gid = Some(natural()?),
            "mtime" => {
                let time = text(value).and_then(decimal_time);
                self.mtime = Some(time.ok_or_else(|| invalid("extended header 'mtime' is no time"))?);
            }
            _ if key.starts_with("GNU.sparse.") => return Err(invalid("sparse files are not supported")),
            _ => {
                // Names of owners, access times and comments have no effect on a file system; the numbers count.
                if let Some(xattr) = key.strip_prefix("SCHILY.xattr.") {
                    self.xattrs.push((xattr.as_bytes().to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

fn invalid(why: impl Into<String>) -> StreamError {
    StreamError::Invalid(why.into())
}

/// A path for a message.
pub(crate) fn show(path: &[u8]) -> String {
    crate::digest::clip(&String::from_utf8_lossy(path))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

/// Name and, in the POSIX form, the prefix before it.
fn name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let prefix = if &block[257..263] == b"ustar\0" {
        until_nul(&block[345..500])
    } else {
        b""
    };
    if prefix.is_empty() {
        name.to_vec()
    } else {
        [prefix, name].join(&b'/')
    }
}

fn check_sum(block: &[u8; BLOCK]) -> Result<(), StreamError> {
    let sum: i64 = block.iter().map(|&b| i64::from(b)).sum();
    let field: i64 = block[148..156].iter().map(|&b| i64::from(b)).sum();
    let expected = sum - field + 8 * i64::from(b' ');
    if number(&block[148..156], "checksum")? == expected {
        Ok(())
    } else {
        Err(invalid("a header's checksum is wrong"))
    }
}

/// Octal text, or big-endian binary where the highest bit is set (for what octal cannot hold).
fn number(field: &[u8], what: &str) -> Result<i64, StreamError> {
    let bad = || invalid(format!("{what} is no number"));
    if let Some(&first) = field.first()
        && first & 0x80 != 0
    {
        // Two's complement in the remaining bits; 0x40 is the sign.
        let mut value: i128 = if first & 0x40 != 0 { -1 } else { 0 };
        value = (value << 6) | i128::from(first & 0x3f);
        for &byte in &field[1..] {
            value = (value << 8) | i128::from(byte);
        }
        return i64::try_from(value).map_err(|_| bad());
    }
    let digits = text(field)
        .ok_or_else(bad)?
        .trim_matches(|c| c == ' ' || c == '\0');
    if digits.is_empty() {
        Ok(0)
    } else {
        i64::from_str_radix(digits, 8).map_err(|_| bad())
    }
}

/// `-1.25` is 1.25 seconds before 1970: nanoseconds count up from the lower second.
fn decimal_time(text: &str) -> Option<(i64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}")[..9].parse().ok()?;
    match (whole.starts_with('-'), nanos) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        _ => Some((seconds, nanos)),
    }
}
