//! As much of MessagePack as the forward protocol needs. Source: the format's specification.

pub(crate) fn array(out: &mut Vec<u8>, items: u8) {
    debug_assert!(items < 16);
    out.push(0x90 | items);
}

pub(crate) fn map(out: &mut Vec<u8>, pairs: usize) {
    match u16::try_from(pairs) {
        Ok(pairs @ ..16) => out.push(0x80 | pairs as u8),
        Ok(pairs) => {
            out.push(0xde);
            out.extend_from_slice(&pairs.to_be_bytes());
        }
        Err(_) => {
            out.push(0xdf);
            out.extend_from_slice(&(pairs as u32).to_be_bytes());
        }
    }
}

/// A text; one that is not UTF-8 stays as it is, which the format allows.
pub(crate) fn text(out: &mut Vec<u8>, text: &[u8]) {
    let length = text.len();
    match length {
        0..=31 => out.push(0xa0 | length as u8),
        32..=0xff => out.extend_from_slice(&[0xd9, length as u8]),
        0x100..=0xffff => {
            out.push(0xda);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

pub(crate) fn integer(out: &mut Vec<u8>, number: i64) {
    match u32::try_from(number) {
        Ok(number @ ..128) => out.push(number as u8),
        Ok(number) => {
            out.push(0xce);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Err(_) => {
            out.push(0xd3);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// The forward protocol's own time: type 0, seconds and nanoseconds.
pub(crate) fn event_time(out: &mut Vec<u8>, milliseconds: i64) {
    let seconds = milliseconds.div_euclid(1000) as u32;
    let nanoseconds = milliseconds.rem_euclid(1000) as u32 * 1_000_000;
    out.extend_from_slice(&[0xd7, 0x00]);
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanoseconds.to_be_bytes());
}

pub(crate) type Pairs = Vec<(String, String)>;

/// A map of texts at the beginning of `bytes`, and how many bytes it takes; `None` while its end has not come.
pub(crate) fn texts(bytes: &[u8]) -> Result<Option<(Pairs, usize)>, &'static str> {
    let mut at = 0;
    let mut next = |count: usize| {
        let slice = bytes.get(at..at + count)?;
        at += count;
        Some(slice)
    };
    let Some(head) = next(1) else { return Ok(None) };
    let pairs = match head[0] {
        head @ 0x80..=0x8f => usize::from(head & 0x0f),
        _ => return Err("a map is expected"),
    };
    let mut read = Vec::new();
    for _ in 0..pairs * 2 {
        let Some(head) = next(1) else { return Ok(None) };
        let length = match head[0] {
            head @ 0xa0..=0xbf => usize::from(head & 0x1f),
            // Also of bytes: some receivers answer what they were sent as such.
            0xd9 | 0xc4 => match next(1) {
                Some(length) => usize::from(length[0]),
                None => return Ok(None),
            },
            _ => return Err("a text of at most 255 bytes is expected"),
        };
        let Some(text) = next(length) else { return Ok(None) };
        read.push(String::from_utf8_lossy(text).into_owned());
    }
    let mut read = read.into_iter();
    let mut all = Vec::new();
    while let (Some(key), Some(value)) = (read.next(), read.next()) {
        all.push((key, value));
    }
    Ok(Some((all, at)))
}
