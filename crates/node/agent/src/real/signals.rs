//! Signals by the names that images and task definitions use: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`.

use std::str::FromStr;

use nix::sys::signal::Signal;

/// As glibc counts; what C programs in images mean by them.
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

/// The number, or `None` when it is no signal.
pub(super) fn number(text: &str) -> Option<i32> {
    let text = text.trim().to_ascii_uppercase();
    if let Ok(number) = text.parse::<i32>() {
        return (1..=SIGRTMAX).contains(&number).then_some(number);
    }
    let name = if text.starts_with("SIG") {
        text
    } else {
        format!("SIG{text}")
    };
    let real_time = |base: i32, offset: &str, sign: i32| {
        let offset = if offset.is_empty() {
            0
        } else {
            offset.get(1..)?.parse::<i32>().ok()?
        };
        let number = base + sign * offset;
        (SIGRTMIN..=SIGRTMAX).contains(&number).then_some(number)
    };
    if let Some(offset) = name.strip_prefix("SIGRTMIN") {
        return if offset.is_empty() || offset.starts_with('+') {
            real_time(SIGRTMIN, offset, 1)
        } else {
            None
        };
    }
    if let Some(offset) = name.strip_prefix("SIGRTMAX") {
        return if offset.is_empty() || offset.starts_with('-') {
            real_time(SIGRTMAX, offset, -1)
        } else {
            None
        };
    }
    Signal::from_str(&name).ok().map(|signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn names_and_numbers_are_signals() {
        for (text, wanted) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("15", Some(15)),
            ("SIGQUIT", Some(3)),
            ("SIGRTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("SIGRTMIN+31", None),
            ("SIGRTMIN-1", None),
            ("0", None),
            ("65", None),
            ("", None),
            ("SIGNOTHING", None),
        ] {
            assert_eq!(number(text), wanted, "{text:?}");
        }
    }
}
