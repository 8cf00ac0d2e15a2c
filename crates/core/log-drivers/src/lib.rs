//! What the log drivers `syslog`, `fluentd` and `gelf` decide: which options there are, and the bytes that each line
//! becomes. The control plane checks a task definition with it, the agent works by it; nothing is sent here. Sources:
//! Docker's pages on the three drivers; RFC 3164 and RFC 5424; the Forward protocol of Fluentd, version 1; the GELF
//! payload specification.

mod address;
mod fault;
mod fluentd;
mod gelf;
mod msgpack;
mod options;
mod syslog;
mod tag;

pub use address::Address;
pub use fault::Fault;
pub use fluentd::Fluentd;
pub use gelf::{Compression, Gelf};
pub use options::{Driver, Options};
pub use syslog::{Format, Syslog};
pub use tag::Tag;

/// What is known of a container whose lines are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The runtime's id of it.
    pub id: String,
    pub name: String,
    pub image: String,
    /// The machine's.
    pub hostname: String,
    /// Of whoever sends.
    pub pid: u32,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since 1970.
    pub time: i64,
    pub stderr: bool,
    pub text: String,
}
