//! `syslog`: one message to a line.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::{About, Address, Line, Tag};

const INFORMATIONAL: u8 = 6;
const ERROR: u8 = 3;
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "",
    "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
/// Of a line: receivers of datagrams take no longer ones.
const MOST: usize = 60_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As local programs write: no host name.
    #[default]
    Local,
    Rfc3164,
    Rfc5424,
    /// With microseconds.
    Rfc5424Micro,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    pub address: Address,
    pub facility: u8,
    pub format: Format,
    pub tag: Tag,
}

impl Format {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        match text {
            "rfc3164" => Ok(Self::Rfc3164),
            "rfc5424" => Ok(Self::Rfc5424),
            "rfc5424micro" => Ok(Self::Rfc5424Micro),
            _ => Err("it is rfc3164, rfc5424 or rfc5424micro".to_owned()),
        }
    }
}

/// By name or number.
pub(crate) fn facility(text: &str) -> Result<u8, String> {
    let named = (0..)
        .zip(FACILITIES)
        .find(|(_, name)| !name.is_empty() && *name == text);
    let number = || text.parse::<u8>().ok().filter(|number| *number < 24);
    named
        .map(|(number, _)| number)
        .or_else(number)
        .ok_or_else(|| "it is a facility's name, such as daemon or local0, or 0 to 23".to_owned())
}

impl Syslog {
    /// A message, with the line break that ends it.
    pub fn message(&self, about: &About, line: &Line) -> Vec<u8> {
        let Line { time, stderr, text } = line;
        let severity = if *stderr { ERROR } else { INFORMATIONAL };
        let priority = u32::from(self.facility) * 8 + u32::from(severity);
        let tag = self.tag.of(about);
        let About { hostname, pid, .. } = about;
        // What stands in the place of a line break stays in one message.
        let text = text.trim_end_matches('\n').replace('\n', "\\n");
        let mut end = text.len().min(MOST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &text[..end];
        let stamp = |format: &str| {
            let time = Timestamp::from_millisecond(*time).unwrap_or(Timestamp::UNIX_EPOCH);
            time.to_zoned(TimeZone::UTC).strftime(format).to_string()
        };
        let message = match self.format {
            Format::Local => format!("<{priority}>{} {tag}[{pid}]: {text}\n", stamp("%b %e %H:%M:%S")),
            Format::Rfc3164 => format!(
                "<{priority}>{} {hostname} {tag}[{pid}]: {text}\n",
                stamp("%b %e %H:%M:%S")
            ),
            Format::Rfc5424 => format!(
                "<{priority}>1 {} {hostname} {tag} {pid} {tag} - {text}\n",
                stamp("%Y-%m-%dT%H:%M:%SZ")
            ),
            Format::Rfc5424Micro => format!(
                "<{priority}>1 {} {hostname} {tag} {pid} {tag} - {text}\n",
                stamp("%Y-%m-%dT%H:%M:%S.%6fZ")
            ),
        };
        message.into_bytes()
    }
}
