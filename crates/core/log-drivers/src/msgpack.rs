//! As much of MessagePack as the Forward protocol needs: writing what we send, and reading a map of texts.

pub(crate) fn array(out: &mut Vec<u8>, count: u8) {
    out.push(0x90 | (count & 0x0f));
}

pub(crate) fn map(out: &mut Vec<u8>, count: u8) {
    out.push(0x80 | (count & 0x0f));
}

pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    let length = text.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=31), _) => out.push(0xa0 | short),
        (Ok(length), _) => out.extend([0xd9, length]),
        (_, Ok(length)) => {
            out.push(0xda);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    out.extend(text.as_bytes());
}

/// Seconds since 1970.
pub(crate) fn seconds(out: &mut Vec<u8>, seconds: i64) {
    out.push(0xd3);
    out.extend(seconds.to_be_bytes());
}

/// The extension type 0: seconds and nanoseconds.
pub(crate) fn event_time(out: &mut Vec<u8>, millis: i64) {
    let seconds = u32::try_from(millis.div_euclid(1000)).unwrap_or_default();
    let nanos = u32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    out.extend([0xd7, 0x00]);
    out.extend(seconds.to_be_bytes());
    out.extend(nanos.to_be_bytes());
}

/// The value of `key` in a small map of texts; what remains behind the map. None: not whole yet, or no such map.
pub(crate) fn value_in_map<'a>(bytes: &'a [u8], key: &str) -> Option<(&'a str, &'a [u8])> {
    let (first, mut rest) = bytes.split_first()?;
    if first & 0xf0 != 0x80 {
        return None;
    }
    let mut found = None;
    for _ in 0..first & 0x0f {
        let (name, after) = read_text(rest)?;
        let (value, after) = read_text(after)?;
        if name == key {
            found = Some(value);
        }
        rest = after;
    }
    found.map(|value| (value, rest))
}

fn read_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = match first {
        0xa0..=0xbf => (usize::from(first & 0x1f), rest),
        0xd9 => (usize::from(*rest.first()?), rest.get(1..)?),
        0xda => (
            usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)),
            rest.get(2..)?,
        ),
        _ => return None,
    };
    Some((
        std::str::from_utf8(rest.get(..length)?).ok()?,
        rest.get(length..)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_back() {
        for length in [0, 1, 31, 32, 255, 256, 65_535] {
            let long = "x".repeat(length);
            let mut out = Vec::new();
            map(&mut out, 2);
            for value in ["other", "1", "ack", &long] {
                text(&mut out, value);
            }
            let whole = out.len();
            out.extend([1, 2]);
            assert_eq!(
                value_in_map(&out, "ack"),
                Some((long.as_str(), &[1, 2][..])),
                "{length}"
            );
            assert!(value_in_map(&out[..whole - 1], "ack").is_none(), "{length}");
        }
        assert_eq!(value_in_map(&[0x90], "ack"), None);
        assert_eq!(value_in_map(&[], "ack"), None);
    }

    #[test]
    fn times_are_in_the_protocols_own_form() {
        let mut out = Vec::new();
        event_time(&mut out, 1_500);
        assert_eq!(out, [0xd7, 0, 0, 0, 0, 1, 0x1d, 0xcd, 0x65, 0x00]);
        out.clear();
        seconds(&mut out, 1);
        assert_eq!(out, [0xd3, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
