//! A netlink socket belongs to the namespace it was opened in, whichever thread uses it later. So one
//! blocking socket per namespace, opened by a thread that entered it, replaces any entering afterwards.
//! Blocking on purpose: the kernel answers before `send` returns, and callers are worker threads.

mod ipv6;
mod ops;

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike as _};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

pub(crate) use ipv6::NO_IPV6;
pub use ipv6::ipv6_is_there;
pub(crate) use ops::{BridgePort, Link, Mtu, NewVeth};

use crate::netns::Netns;
use crate::{Error, Result};

/// Seconds the kernel has for an answer before the call fails.
const ANSWER_SECONDS: i64 = 10;
/// Datagrams of one dump; a machine with a million routes is not ours.
const DUMP_DATAGRAMS: usize = 65_536;

/// A route netlink socket of one namespace.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    namespace: String,
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Opens a netlink socket of `protocol` in the calling thread's namespace, with a bound on every answer.
pub(crate) fn open_socket(protocol: isize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    setsockopt(&socket.as_fd(), ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS))?;
    Ok(socket)
}

impl Netlink {
    /// Opens a socket in `namespace`.
    pub(crate) fn open(namespace: &Netns) -> Result<Self> {
        let label = namespace.label().to_owned();
        let socket = namespace
            .run(|| open_socket(NETLINK_ROUTE))?
            .map_err(Error::kernel(format!("opening netlink in {label}")))?;
        Ok(Self {
            socket,
            sequence: 0,
            namespace: label,
        })
    }

    /// Sends one change and waits for its acknowledgement.
    pub(crate) fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.collect(false).map(drop)
    }

    /// Sends one query that the kernel answers with an object (no dump).
    pub(crate) fn get(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK)?;
        self.collect(false)
    }

    /// Sends one dump and gathers all of it.
    pub(crate) fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        self.collect(true)
    }

    /// An error of this socket: what was attempted, and where.
    pub(crate) fn failed(&self, attempt: impl Into<String>) -> Box<dyn FnOnce(io::Error) -> Error> {
        let attempt = format!("{} in {}", attempt.into(), self.namespace);
        Box::new(move |source| Error::Kernel { attempt, source })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len()];
        packet.serialize(&mut buffer);
        self.socket.send(&buffer, 0).map(drop)
    }

    /// Reads until the acknowledgement (or the end of the dump) of the last request.
    fn collect(&mut self, dump: bool) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut found = Vec::new();
        for _ in 0..DUMP_DATAGRAMS {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = &datagram[..];
            while rest.len() >= 16 {
                let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
                let length = (packet.header.length as usize).next_multiple_of(4).max(16);
                let own = packet.header.sequence_number == self.sequence;
                match packet.payload {
                    // An answer to a request that timed out earlier.
                    _ if !own => {}
                    NetlinkPayload::Error(answer) if answer.code.is_none() => return Ok(found),
                    NetlinkPayload::Error(answer) => return Err(answer.to_io()),
                    NetlinkPayload::Done(_) if dump => return Ok(found),
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    _ => {}
                }
                rest = rest.get(length..).unwrap_or_default();
            }
        }
        Err(io::Error::other("the kernel's answer has no end"))
    }
}

/// True for the errors that say "there is no such thing", which a removal takes as done.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENODEV | libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL | libc::ENXIO)
    )
}

/// True for "it is there already", which a level-triggered addition takes as done.
pub(crate) fn is_present(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EEXIST)
}
