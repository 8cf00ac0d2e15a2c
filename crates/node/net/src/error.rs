//! One error type for the crate, so that the agent maps network failures to task reasons in one place.

use std::io;
use std::net::SocketAddr;

/// Why a network operation did not happen. Every message says what was attempted and on what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused: a namespace, a device, an address, a route.
    #[error("{attempt}: {source}")]
    Kernel {
        attempt: String,
        #[source]
        source: io::Error,
    },
    /// `nft` or the kernel's nftables refused a transaction; nothing of it took effect.
    #[error(
        "changing the firewall of {namespace}: {detail}; check that `nft` and the nf_tables modules are installed"
    )]
    Firewall { namespace: String, detail: String },
    /// The map of a VPC is older than the one that is applied. Nothing changed; send a newer one.
    #[error("map of {vpc} with generation {offered} is stale: generation {held} is applied")]
    Stale { vpc: String, held: u64, offered: u64 },
    /// An argument that can never work. The message names the member.
    #[error("{0}")]
    Invalid(String),
    /// A record under the state directory cannot be read or written.
    #[error("{attempt} {path}: {source}")]
    State {
        attempt: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    /// A port of the host that a container is to be reached by is another program's.
    #[error("Bind for {address} failed: port is already allocated ({transport:?})")]
    PortTaken {
        address: SocketAddr,
        transport: crate::Transport,
    },
    /// A step of the CNI chain failed.
    #[error("{plugin} {command}: {source}")]
    Cni {
        plugin: &'static str,
        command: &'static str,
        #[source]
        source: crate::cni::Error,
    },
    /// The worker that ran the operation ended without an answer (the runtime is shutting down).
    #[error("the network worker ended before {0} was done; try again")]
    Interrupted(&'static str),
}

impl Error {
    pub(crate) fn kernel(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let attempt = attempt.into();
        move |source| Error::Kernel { attempt, source }
    }

    /// What was to be changed is not there, or not any more.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Kernel { source, .. } if crate::netlink::is_absent(source))
    }
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_does_not_find_is_absent() {
        for (errno, absent) in [
            (libc::ENOENT, true),
            (libc::ENODEV, true),
            (libc::EPERM, false),
            (libc::EEXIST, false),
        ] {
            let error = Error::kernel("trying")(io::Error::from_raw_os_error(errno));
            assert_eq!(error.is_absence(), absent, "{errno}");
        }
        assert!(!Error::Invalid("x".into()).is_absence());
    }
}
