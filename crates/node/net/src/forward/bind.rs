//! Listening on the ports of the host: all that a container publishes, or none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, listen, setsockopt,
    socket, sockopt,
};

use super::{PublishPort, PublishedPort, Report, Transport};

/// Tries of the kernel's choice: another address, or the next ports of a run, may be taken.
const TRIES: u32 = 128;
/// Connections that wait to be accepted, per port.
const BACKLOG: i32 = 1024;

/// One listening socket and the port of the container it stands for.
pub(super) enum Socket {
    Tcp(TcpListener, u16),
    Udp(UdpSocket, u16),
}

impl Socket {
    fn port(&self) -> io::Result<u16> {
        let address = match self {
            Socket::Tcp(listener, _) => listener.local_addr(),
            Socket::Udp(socket, _) => socket.local_addr(),
        };
        address.map(|address| address.port())
    }
}

/// Listens on everything of `ports`.
pub(super) fn all(ports: &[PublishPort]) -> Result<(Vec<Socket>, Vec<PublishedPort>), Report> {
    let mut sockets = Vec::new();
    let mut published = Vec::new();
    for port in ports {
        let (mut made, shown) = match port.host_port {
            Some(first) => run(port, first)?,
            None => chosen(port)?,
        };
        sockets.append(&mut made);
        published.push(shown);
    }
    Ok((sockets, published))
}

/// The kernel chooses the first port; the rest of the run, and the other family, must be free with it.
fn chosen(port: &PublishPort) -> Result<(Vec<Socket>, PublishedPort), Report> {
    let mut outcome = Err(Report::Failed("no port of the host is free".into()));
    for _ in 0..TRIES {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let probe = open(any, port.transport, port.container_port);
        let first = probe.and_then(|probe| probe.port());
        let first = first.map_err(|error| Report::Failed(format!("choosing a port: {error}")))?;
        outcome = run(port, first);
        if !matches!(outcome, Err(Report::Taken(..))) {
            break;
        }
    }
    outcome
}

/// The run of ports that begins with `first`, on each family that the kernel has.
fn run(port: &PublishPort, first: u16) -> Result<(Vec<Socket>, PublishedPort), Report> {
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    for ip in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ] {
        for offset in 0..port.count {
            let beyond = || Report::Failed(format!("{} ports from {first} go beyond 65535", port.count));
            let host_port = first.checked_add(offset).ok_or_else(beyond)?;
            let address = SocketAddr::new(ip, host_port);
            match open(
                address,
                port.transport,
                port.container_port.saturating_add(offset),
            ) {
                Ok(socket) => sockets.push(socket),
                // A kernel without IPv6, or one where it is switched off.
                Err(error)
                    if ip.is_ipv6()
                        && matches!(
                            error.raw_os_error(),
                            Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
                        ) =>
                {
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(Report::Taken(address, port.transport));
                }
                Err(error) => return Err(Report::Failed(format!("listening on {address}: {error}"))),
            }
            if offset == 0 {
                addresses.push(ip);
            }
        }
    }
    let published = PublishedPort {
        container_port: port.container_port,
        count: port.count,
        host_port: first,
        transport: port.transport,
        addresses,
    };
    Ok((sockets, published))
}

fn open(address: SocketAddr, transport: Transport, container_port: u16) -> io::Result<Socket> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let (kind, protocol) = match transport {
        Transport::Tcp => (SockType::Stream, SockProtocol::Tcp),
        Transport::Udp => (SockType::Datagram, SockProtocol::Udp),
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, kind, flags, protocol)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    if transport == Transport::Tcp {
        // Connections of an earlier forwarder that linger must not keep the next from its port.
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    }
    bind(
        std::os::fd::AsRawFd::as_raw_fd(&fd),
        &SockaddrStorage::from(address),
    )?;
    Ok(match transport {
        Transport::Tcp => {
            listen(&fd, Backlog::new(BACKLOG)?)?;
            Socket::Tcp(fd.into(), container_port)
        }
        Transport::Udp => Socket::Udp(fd.into(), container_port),
    })
}
