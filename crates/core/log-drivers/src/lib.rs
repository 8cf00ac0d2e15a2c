//! The log drivers that send to a receiver of the user's: `syslog`, `fluentd`, `gelf`. Which options there are, what they
//! mean, and what a record of a container's log is on the wire. The control plane checks a task definition with it, the
//! agent works by it; neither a clock nor a socket is used here. Sources: Docker's pages of these drivers and of log tags;
//! RFC 3164 and 5424; Fluentd's forward protocol; Graylog's GELF.

mod address;
mod driver;
mod duration;
mod extras;
mod fault;
mod fluentd;
mod gelf;
mod msgpack;
mod parts;
mod reader;
mod syslog;
mod tag;

pub use address::Address;
pub use driver::{Driver, Encoder, Message, Retry};
pub use extras::Extras;
pub use fault::Fault;
pub use fluentd::{Ack, Fluentd};
pub use gelf::{Compression, Gelf};
pub use parts::{MAX_HELD, Part, Parts};
pub use syslog::{Format, Syslog};
pub use tag::Tag;

use std::collections::BTreeMap;

/// What is told of a container beside its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The whole one.
    pub id: String,
    /// As Docker names it, without a slash.
    pub name: String,
    /// As the task definition names it.
    pub image_name: String,
    /// `sha256:…`
    pub image_id: String,
    /// Its program and arguments, with blanks between.
    pub command: String,
    /// RFC 3339.
    pub created: String,
    pub labels: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
}

/// Who sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    pub host: String,
    pub pid: u32,
}

/// A record of a container's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds since 1970.
    pub time: i64,
    pub stderr: bool,
    /// Without the line break; any bytes.
    pub bytes: Vec<u8>,
    /// The same when it is sent again, another for any other record.
    pub id: [u8; 8],
    /// Which part of a long line it is.
    pub part: Option<Part>,
}
