//! The chain that gives a task its network, as the vendor's agent knows it: `ecs-eni`, then `ecs-bridge`
//! with `ecs-ipam`. The same functions serve our agent in its own process and any runtime that starts
//! this binary under a plugin's name, so there is one way a task is connected and one to test.

use std::fmt;

pub(crate) mod bridge;
mod conf;
pub(crate) mod eni;
pub(crate) mod ipam;
mod main;
mod previous;
mod result;

pub(crate) use conf::Common;
pub use main::cni_main_if_asked;
pub use result::{CniResult, Dns, Interface, IpConfig, Route};

/// Versions of the specification that the plugins speak.
pub const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// An error as the specification shows it: a code, what happened, and details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{msg}{}{details}", if details.is_empty() { "" } else { ": " })]
pub struct Error {
    pub code: u32,
    pub msg: String,
    pub details: String,
}

/// Codes of the CNI specification, section 4 of the error list; from 100 the plugin's own.
pub mod code {
    pub const INCOMPATIBLE_VERSION: u32 = 1;
    pub const UNSUPPORTED_FIELD: u32 = 2;
    pub const UNKNOWN_CONTAINER: u32 = 3;
    pub const INVALID_ENVIRONMENT: u32 = 4;
    pub const IO_FAILURE: u32 = 5;
    pub const UNDECODABLE: u32 = 6;
    pub const INVALID_CONFIG: u32 = 7;
    pub const TRY_AGAIN: u32 = 11;
    pub const NOT_AVAILABLE: u32 = 50;
    /// The device that the configuration names is not in the namespace.
    pub const NO_DEVICE: u32 = 100;
    /// Every address of the range is given.
    pub const NO_ADDRESS: u32 = 101;
    /// CHECK found a difference.
    pub const DIFFERENT: u32 = 102;
    /// ADD, and the task has an interface of that name.
    pub const EXISTS: u32 = 103;
    /// The kernel refused.
    pub const KERNEL: u32 = 110;
}

impl Error {
    pub fn new(code: u32, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            details: String::new(),
        }
    }

    /// The error that was first, with the one that came while its steps were undone.
    pub(crate) fn and_undoing(self, second: &dyn fmt::Display) -> Self {
        Self {
            details: format!("and undoing it: {second}"),
            ..self
        }
    }

    pub(crate) fn config(msg: impl Into<String>) -> Self {
        Self::new(code::INVALID_CONFIG, msg)
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        let code = match &error {
            crate::Error::Invalid(_) => code::INVALID_CONFIG,
            crate::Error::State { .. } => code::IO_FAILURE,
            crate::Error::Cni { source, .. } => return source.clone(),
            _ => code::KERNEL,
        };
        Self::new(code, error.to_string())
    }
}

/// Whom a plugin is called for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// `CNI_CONTAINERID`
    pub(crate) container: String,
    /// `CNI_IFNAME`: the device's name in the task.
    pub(crate) ifname: String,
}

impl Attachment {
    /// # Errors
    /// Code 4 when a part does not have the specification's form.
    pub(crate) fn new(container: &str, ifname: &str) -> Result<Self, Error> {
        let refuse = |what| Err(Error::new(code::INVALID_ENVIRONMENT, what));
        let mut bytes = container.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
            return refuse(format!("CNI_CONTAINERID {container:?} is not a container id"));
        }
        let forbidden = |b: u8| b == b'/' || b == b':' || b.is_ascii_whitespace() || b.is_ascii_control();
        let dots = matches!(ifname, "" | "." | "..");
        if dots || ifname.len() > 15 || ifname.bytes().any(forbidden) {
            return refuse(format!("CNI_IFNAME {ifname:?} is not a device name"));
        }
        Ok(Self {
            container: container.to_owned(),
            ifname: ifname.to_owned(),
        })
    }

    /// Stands as alias on the devices made for this attachment.
    pub(crate) fn alias(&self) -> String {
        format!("{}/{}", self.container, self.ifname)
    }
}
