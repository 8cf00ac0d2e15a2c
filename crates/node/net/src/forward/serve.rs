//! Carrying bytes and datagrams. The container sees the bridge network's gateway as the caller, as it does
//! with any forwarder that is no rule in a firewall.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::bind::Socket;

/// Bytes in flight in each direction of a connection.
const BUFFER: usize = 32 * 1024;
/// How long the container has to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// After a failed `accept` or `recv`, which fails again at once when descriptors ran out.
const RECOVER: Duration = Duration::from_millis(20);
/// A caller of UDP that neither sends nor is sent anything this long is forgotten.
const UDP_IDLE: Duration = Duration::from_secs(90);
/// Callers of one UDP port at once; datagrams of further ones are dropped.
const UDP_CALLERS: usize = 1024;
/// Connections of one container at once, at most; the limit of open files may allow fewer. Further ones wait.
const CONNECTIONS: usize = 8192;

/// Serves until the process ends; `ready` is called when everything is.
pub(super) fn start(
    sockets: Vec<Socket>,
    to: IpAddr,
    ready: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let spare = usize::try_from(files)
        .unwrap_or(usize::MAX)
        .saturating_sub(sockets.len() + 64)
        / 2;
    let slots = Arc::new(Semaphore::new(spare.clamp(1, CONNECTIONS)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let mut serving = tokio::task::JoinSet::new();
        for socket in sockets {
            match socket {
                Socket::Tcp(listener, port) => {
                    let listener = TcpListener::from_std(listener)?;
                    serving.spawn(tcp(listener, SocketAddr::new(to, port), Arc::clone(&slots)));
                }
                Socket::Udp(socket, port) => {
                    let socket = UdpSocket::from_std(socket)?;
                    serving.spawn(udp(Arc::new(socket), SocketAddr::new(to, port)));
                }
            }
        }
        ready()?;
        while serving.join_next().await.is_some() {}
        Ok(())
    })
}

async fn tcp(listener: TcpListener, to: SocketAddr, slots: Arc<Semaphore>) {
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(async move {
                    let _slot = slot;
                    // Whatever ends it: both sides are closed, which is all there is to tell.
                    let _ = carry(client, to).await;
                });
            }
            Err(_) => sleep(RECOVER).await,
        }
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = timeout(CONNECT, TcpStream::connect(to)).await??;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await?;
    Ok(())
}

/// One caller of a UDP port.
struct Caller {
    socket: UdpSocket,
    heard: Mutex<Instant>,
}

type Callers = Arc<Mutex<HashMap<SocketAddr, Arc<Caller>>>>;

async fn udp(outside: Arc<UdpSocket>, to: SocketAddr) {
    let callers = Callers::default();
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let Ok((length, from)) = outside.recv_from(&mut buffer).await else {
            sleep(RECOVER).await;
            continue;
        };
        let Some(caller) = caller(&outside, &callers, from, to).await else {
            continue;
        };
        *caller.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        // Refused, or no room: a datagram may be lost.
        let _ = caller.socket.send(buffer.get(..length).unwrap_or_default()).await;
    }
}

async fn caller(
    outside: &Arc<UdpSocket>,
    callers: &Callers,
    from: SocketAddr,
    to: SocketAddr,
) -> Option<Arc<Caller>> {
    {
        let known = callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = known.get(&from) {
            return Some(Arc::clone(caller));
        }
        if known.len() >= UDP_CALLERS {
            return None;
        }
    }
    let any: IpAddr = if to.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(to).await.ok()?;
    let caller = Arc::new(Caller {
        socket,
        heard: Mutex::new(Instant::now()),
    });
    let (outside, callers_too, answering) = (Arc::clone(outside), Arc::clone(callers), Arc::clone(&caller));
    callers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(from, Arc::clone(&caller));
    tokio::spawn(async move {
        answer(&outside, from, &answering).await;
        callers_too
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&from);
    });
    Some(caller)
}

/// Brings answers back to the caller until both are silent.
async fn answer(outside: &UdpSocket, to: SocketAddr, caller: &Caller) {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        match timeout(UDP_IDLE, caller.socket.recv(&mut buffer)).await {
            Ok(Ok(length)) => {
                let _ = outside
                    .send_to(buffer.get(..length).unwrap_or_default(), to)
                    .await;
            }
            // "Port unreachable" of an earlier datagram.
            Ok(Err(_)) => sleep(RECOVER).await,
            Err(_) => {
                let heard = *caller.heard.lock().unwrap_or_else(PoisonError::into_inner);
                if heard.elapsed() >= UDP_IDLE {
                    return;
                }
            }
        }
    }
}
