//! Values that are more than text to a condition: numbers, dates, networks.

use std::net::IpAddr;

use ipnet::IpNet;

pub(crate) fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// Milliseconds since 1970: of an ISO 8601 date, with or without a time, or of seconds.
pub(crate) fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds.abs() < 1e14).then_some((seconds * 1000.0) as i64);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    // Without an offset it is UTC; without a time, midnight.
    let time: jiff::civil::DateTime = text.parse().ok()?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// An address is a network of itself.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_in_several_forms() {
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14T22:13:20",
            "1700000000",
        ] {
            assert_eq!(date(text), Some(1_700_000_000_000), "{text}");
        }
        assert_eq!(date("2023-11-14"), Some(1_699_920_000_000));
        for text in ["", "yesterday", "2023-13-01", "inf", "1e300"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_networks_of_themselves() {
        assert_eq!(network("10.0.0.1"), "10.0.0.1/32".parse().ok());
        assert_eq!(network("2001:db8::/32"), "2001:db8::/32".parse().ok());
        assert_eq!(network("10.0.0.0/33"), None);
    }
}
