//! The resolver's sockets: opened inside the router, served from the daemon's runtime. They end with the
//! daemon and are opened anew by the next one; the addresses stay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::answer::Zone;
use crate::netns::Netns;
use crate::{Error, Result};

/// The port of DNS.
const PORT: u16 = 53;
/// Connections of one VPC at a time; more wait in the listener's backlog.
const CONNECTIONS: usize = 64;
/// How long a connection may take to send its next question.
const IDLE: Duration = Duration::from_secs(10);
/// Questions on one connection.
const QUESTIONS: usize = 1000;
/// Bytes of a question.
const QUESTION: usize = 4096;

/// The resolver of one VPC on this node. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Resolver {
    zone: Arc<RwLock<Zone>>,
    runtime: tokio::runtime::Handle,
    connections: Arc<Semaphore>,
    listening: Vec<(Ipv4Addr, [JoinHandle<()>; 2])>,
}

impl Resolver {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        Self {
            zone: Arc::default(),
            runtime,
            connections,
            listening: Vec::new(),
        }
    }

    /// From now on answers come from `zone`.
    pub(crate) fn set_zone(&self, zone: Zone) {
        *self
            .zone
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = zone;
    }

    /// Listens on exactly these addresses, which the namespace must already have.
    pub(crate) fn listen(
        &mut self,
        namespace: &Netns,
        addresses: impl IntoIterator<Item = Ipv4Addr>,
    ) -> Result<()> {
        let wanted: Vec<Ipv4Addr> = addresses.into_iter().collect();
        self.listening.retain(|(address, tasks)| {
            let keep = wanted.contains(address) && tasks.iter().all(|t| !t.is_finished());
            if !keep {
                tasks.iter().for_each(JoinHandle::abort);
            }
            keep
        });
        for address in wanted {
            if self.listening.iter().any(|(present, _)| *present == address) {
                continue;
            }
            let at = SocketAddr::from((address, PORT));
            let (udp, tcp) = namespace
                .run(|| {
                    let udp = std::net::UdpSocket::bind(at)?;
                    let tcp = std::net::TcpListener::bind(at)?;
                    udp.set_nonblocking(true)?;
                    tcp.set_nonblocking(true)?;
                    Ok((udp, tcp))
                })?
                .map_err(Error::kernel(format!(
                    "opening the resolver on {at} in {}",
                    namespace.label()
                )))?;
            let _in_runtime = self.runtime.enter();
            let registered = UdpSocket::from_std(udp).and_then(|udp| Ok((udp, TcpListener::from_std(tcp)?)));
            let (udp, tcp) = registered.map_err(Error::kernel(format!("serving the resolver on {at}")))?;
            let datagrams = self.runtime.spawn(serve_datagrams(udp, Arc::clone(&self.zone)));
            let streams = self.runtime.spawn(serve_streams(
                tcp,
                Arc::clone(&self.zone),
                Arc::clone(&self.connections),
            ));
            self.listening.push((address, [datagrams, streams]));
        }
        Ok(())
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        for task in self.listening.iter().flat_map(|(_, tasks)| tasks) {
            task.abort();
        }
    }
}

fn answer(zone: &RwLock<Zone>, packet: &[u8]) -> Option<Vec<u8>> {
    zone.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .answer(packet)
}

async fn serve_datagrams(socket: UdpSocket, zone: Arc<RwLock<Zone>>) {
    let mut buffer = vec![0u8; QUESTION];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let reply = buffer.get(..length).and_then(|packet| answer(&zone, packet));
                if let Some(reply) = reply {
                    // A full send buffer loses the answer, as any network may; the asker asks again.
                    let _ = socket.try_send_to(&reply, from);
                }
            }
            // An ICMP error of an earlier answer; the socket itself is well.
            Err(error) => tracing::debug!(%error, "resolver datagram"),
        }
        tokio::task::yield_now().await;
    }
}

async fn serve_streams(listener: TcpListener, zone: Arc<RwLock<Zone>>, connections: Arc<Semaphore>) {
    while let Ok(permit) = Arc::clone(&connections).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let zone = Arc::clone(&zone);
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(error) = serve_stream(stream, &zone).await {
                        tracing::debug!(%error, "resolver connection");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "resolver cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_stream(mut stream: TcpStream, zone: &RwLock<Zone>) -> std::io::Result<()> {
    for _ in 0..QUESTIONS {
        let question = async {
            let length = usize::from(stream.read_u16().await?);
            let mut packet = vec![0u8; length.min(QUESTION)];
            stream.read_exact(&mut packet).await?;
            Ok::<_, std::io::Error>((length <= QUESTION).then_some(packet))
        };
        let Ok(read) = tokio::time::timeout(IDLE, question).await else {
            return Ok(());
        };
        let Some(packet) = read? else { return Ok(()) };
        let Some(reply) = answer(zone, &packet) else {
            return Ok(());
        };
        let length = u16::try_from(reply.len()).map_err(std::io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&reply);
        let Ok(written) = tokio::time::timeout(IDLE, stream.write_all(&framed)).await else {
            return Ok(());
        };
        written?;
    }
    Ok(())
}
