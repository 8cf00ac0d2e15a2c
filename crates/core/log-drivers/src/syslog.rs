//! The driver `syslog`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use roadstead_awslogs::Delivery;

use crate::address::{Address, host_port, path, split};
use crate::fault::Fault;
use crate::reader::Reader;
use crate::tag::Tag;
use crate::{Record, Sender};

/// Where datagrams and connections go when the address names no port.
const PORT: u16 = 514;
const DAEMON: u8 = 3;
const ERROR: u8 = 3;
const INFORMATIONAL: u8 = 6;

/// Of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As programs write to the machine's own: RFC 3164 without a host.
    Unix,
    Rfc3164,
    Rfc5424,
    /// With microseconds.
    Rfc5424Micro,
}

/// The options of one container, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Syslog {
    pub address: Address,
    /// 0 to 23.
    pub facility: u8,
    pub format: Format,
    pub tag: Tag,
    pub delivery: Delivery,
}

/// By number. Source: RFC 5424, 6.2.1; the names are those of syslog.h.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "",
    "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

impl Syslog {
    pub(crate) fn read(options: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let mut reader = Reader::new("syslog", options);
        if let Some(address) = options.get("syslog-address")
            && address.starts_with("tcp+tls://")
        {
            return Err(reader.unsupported("syslog-address = tcp+tls"));
        }
        reader.refuse(&[
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
        ])?;
        // They only serve markup of tags that is not there.
        reader.refuse(&["labels", "labels-regex", "env", "env-regex"])?;
        let read = Self {
            address: reader.read("syslog-address", address)?.unwrap_or(Address::Local),
            facility: reader.read("syslog-facility", facility)?.unwrap_or(DAEMON),
            format: reader.read("syslog-format", format)?.unwrap_or(Format::Unix),
            tag: reader.tag()?,
            delivery: reader.delivery()?,
        };
        reader.end()?;
        Ok(read)
    }

    /// A message with the line break that ends it, none for an empty line.
    pub(crate) fn encode(&self, sender: &Sender, tag: &str, record: &Record) -> Option<Vec<u8>> {
        if record.bytes.is_empty() {
            return None;
        }
        let severity = if record.stderr { ERROR } else { INFORMATIONAL };
        let priority = self.facility * 8 + severity;
        let Sender { host, pid } = sender;
        let time = |format: &str| {
            let time = Timestamp::from_millisecond(record.time).unwrap_or_default();
            time.strftime(format).to_string()
        };
        let mut message = match self.format {
            Format::Unix => format!("<{priority}>{} {tag}[{pid}]: ", time("%b %e %H:%M:%S")),
            Format::Rfc3164 => format!("<{priority}>{} {host} {tag}[{pid}]: ", time("%b %e %H:%M:%S")),
            Format::Rfc5424 => format!(
                "<{priority}>1 {} {host} {tag} {pid} {tag} - ",
                time("%Y-%m-%dT%H:%M:%SZ")
            ),
            Format::Rfc5424Micro => format!(
                "<{priority}>1 {} {host} {tag} {pid} {tag} - ",
                time("%Y-%m-%dT%H:%M:%S%.6fZ")
            ),
        }
        .into_bytes();
        message.extend_from_slice(&record.bytes);
        message.push(b'\n');
        Some(message)
    }
}

fn address(text: &str) -> Result<Address, String> {
    let end = |rest| host_port(rest, "localhost", Some(PORT));
    match split(text) {
        Some(("udp", rest)) => end(rest).map(|(host, port)| Address::Udp { host, port }),
        Some(("tcp", rest)) => end(rest).map(|(host, port)| Address::Tcp { host, port }),
        Some(("unix", rest)) => path(rest).map(Address::Unix),
        Some(("unixgram", rest)) => path(rest).map(Address::Unixgram),
        _ => Err("it begins with udp://, tcp://, unix:// or unixgram://".to_owned()),
    }
}

fn facility(text: &str) -> Result<u8, String> {
    let named = FACILITIES
        .iter()
        .position(|name| !name.is_empty() && *name == text);
    let number = named.or_else(|| text.parse().ok().filter(|number| *number < FACILITIES.len()));
    number
        .and_then(|number| u8::try_from(number).ok())
        .ok_or_else(|| "invalid syslog facility".to_owned())
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "" => Ok(Format::Unix),
        "rfc3164" => Ok(Format::Rfc3164),
        "rfc5424" => Ok(Format::Rfc5424),
        "rfc5424micro" => Ok(Format::Rfc5424Micro),
        _ => Err("Invalid syslog format".to_owned()),
    }
}
