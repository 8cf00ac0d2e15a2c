//! Durations as Go writes them, which is how Docker reads them: `1s`, `300ms`, `1m30s`, `1.5h`.

use std::time::Duration;

/// None of the options means anything beyond a day.
const MOST: f64 = 86_400.0;

pub(crate) fn read(text: &str) -> Result<Duration, String> {
    let fault = || "it is a duration such as 300ms, 1.5s or 1m30s, of at most a day".to_owned();
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut seconds = 0.0;
    while !rest.is_empty() || seconds == 0.0 {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(fault)?;
        let number: f64 = rest[..digits].parse().map_err(|_| fault())?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(fault()),
            };
        rest = &rest[unit..];
        if rest.is_empty() {
            break;
        }
    }
    if seconds > MOST {
        return Err(fault());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| fault())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, ms) in [
            ("1s", 1_000),
            ("300ms", 300),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            (".5s", 500),
            ("0", 0),
            ("0s", 0),
            ("24h", 86_400_000),
        ] {
            assert_eq!(read(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "", "1", "s", "-1s", "1x", "25h", "1s2", "1..s", "1e3s", "NaNs", "infs",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
