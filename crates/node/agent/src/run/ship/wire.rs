//! A connection to a receiver, or a socket for datagrams: made in the host's own network, as Docker's daemon does.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use roadstead_log_drivers::{Ack, Address, Message};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

/// How long a receiver may take to answer a new connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a receiver may take to acknowledge what it was sent.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(60);
/// The longest wait between two looks at what the receiver's machine has taken.
const TAKEN_LOOK: Duration = Duration::from_millis(50);
/// Datagrams, and bytes of them, sent in one go: a receiver that keeps up with a container keeps up with what waited.
const BURST: usize = 16;
const BURST_BYTES: usize = 32 * 1024;
const BURST_PAUSE: Duration = Duration::from_millis(1);
/// Where the machine's own syslog may listen.
const LOCAL: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Udp(UdpSocket, SocketAddr),
    Unixgram(UnixDatagram),
}

pub(super) struct Wire {
    socket: Socket,
    since: Instant,
    ack: Ack,
}

impl Wire {
    /// # Errors
    /// Why there is no connection, in Go's words, which are Docker's.
    pub(super) async fn connect(address: &Address) -> Result<Self, String> {
        let socket = match timeout(CONNECT_WITHIN, connect(address)).await {
            Ok(socket) => socket?,
            Err(_) => return Err(format!("dial {}: i/o timeout", shown(address))),
        };
        Ok(Self {
            socket,
            since: Instant::now(),
            ack: Ack::default(),
        })
    }

    /// Whether it is not known to be closed, nor older than `most`.
    pub(super) fn is_usable(&mut self, most: Option<Duration>) -> bool {
        most.is_none_or(|most| self.since.elapsed() < most) && self.look().is_ok()
    }

    /// Sends messages in order: how many from the first on have arrived, as far as that can be known.
    pub(super) async fn send(
        &mut self,
        messages: &[&Message],
        within: Option<Duration>,
    ) -> (usize, Result<(), String>) {
        if matches!(self.socket, Socket::Udp(..) | Socket::Unixgram(_)) {
            return self.send_datagrams(messages).await;
        }
        let pieces = messages.iter().flat_map(|message| &message.pieces);
        let bytes: Vec<u8> = pieces.flatten().copied().collect();
        let writing = async {
            match &mut self.socket {
                Socket::Tcp(stream) => stream.write_all(&bytes).await,
                Socket::Unix(stream) => stream.write_all(&bytes).await,
                Socket::Udp(..) | Socket::Unixgram(_) => Ok(()),
            }
        };
        let written = match within {
            Some(within) => timeout(within, writing).await.unwrap_or_else(|_| {
                // Nobody knows how much of it was taken: the connection is of no more use.
                Err(io::ErrorKind::TimedOut.into())
            }),
            None => writing.await,
        };
        if let Err(error) = written {
            return (0, Err(words(&error)));
        }
        if messages.iter().any(|message| message.acknowledged.is_some()) {
            return self.acknowledged(messages).await;
        }
        match self.taken(within).await {
            Ok(()) => (messages.len(), Ok(())),
            Err(error) => (0, Err(words(&error))),
        }
    }

    async fn send_datagrams(&mut self, messages: &[&Message]) -> (usize, Result<(), String>) {
        let (mut count, mut bytes) = (0, 0);
        for (sent, message) in messages.iter().enumerate() {
            for piece in &message.pieces {
                let outcome = match &self.socket {
                    Socket::Udp(socket, to) => socket.send_to(piece, to).await,
                    Socket::Unixgram(socket) => socket.send(piece).await,
                    Socket::Tcp(_) | Socket::Unix(_) => Ok(0),
                };
                match outcome {
                    Ok(_) => {}
                    Err(error) if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => {
                        tracing::warn!(bytes = piece.len(), "a line that no datagram holds is dropped");
                    }
                    Err(error) => return (sent, Err(words(&error))),
                }
                (count, bytes) = (count + 1, bytes + piece.len());
                if count >= BURST || bytes >= BURST_BYTES {
                    (count, bytes) = (0, 0);
                    tokio::time::sleep(BURST_PAUSE).await;
                }
            }
        }
        (messages.len(), Ok(()))
    }

    /// Waits until the receiver's machine has taken everything: what is still on its way when a connection breaks is
    /// sent again. One that takes nothing more for as long as a write may take is given up.
    async fn taken(&mut self, within: Option<Duration>) -> io::Result<()> {
        let mut wait = Duration::from_micros(200);
        let (mut least, mut since) = (i32::MAX, Instant::now());
        loop {
            let left = match &self.socket {
                Socket::Tcp(stream) => unsent(stream.as_fd())?,
                Socket::Unix(stream) => unsent(stream.as_fd())?,
                Socket::Udp(..) | Socket::Unixgram(_) => 0,
            };
            // A connection that was reset has nothing left either, which its error tells apart.
            self.look_for_error()?;
            if left == 0 {
                return Ok(());
            }
            if left < least {
                (least, since) = (left, Instant::now());
            } else if within.is_some_and(|within| since.elapsed() >= within) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(TAKEN_LOOK);
        }
    }

    /// Waits until the receiver has said of every message that it has it.
    async fn acknowledged(&mut self, messages: &[&Message]) -> (usize, Result<(), String>) {
        let (mut done, mut said) = (0, HashSet::new());
        loop {
            while let Some(message) = messages.get(done)
                && message.acknowledged.is_none_or(|id| said.contains(&id))
            {
                done += 1;
            }
            if done == messages.len() {
                return (done, Ok(()));
            }
            let bytes = match timeout(ACKNOWLEDGE_WITHIN, self.hear()).await {
                Ok(Ok(bytes)) if bytes.is_empty() => return (done, Err("EOF".to_owned())),
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => return (done, Err(words(&error))),
                Err(_) => return (done, Err("i/o timeout".to_owned())),
            };
            match self.ack.push(&bytes) {
                // Of what was not asked for there is nothing to remember.
                Ok(ids) => said.extend(ids.into_iter().filter(|id| {
                    let mut asked = messages.iter().filter_map(|message| message.acknowledged);
                    asked.any(|asked| asked == *id)
                })),
                Err(why) => return (done, Err(why.to_owned())),
            }
        }
    }

    /// What the receiver says next; nothing when it has hung up.
    async fn hear(&self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        loop {
            let read = match &self.socket {
                Socket::Tcp(stream) => {
                    stream.readable().await?;
                    stream.try_read(&mut buffer)
                }
                Socket::Unix(stream) => {
                    stream.readable().await?;
                    stream.try_read(&mut buffer)
                }
                Socket::Udp(..) | Socket::Unixgram(_) => Ok(0),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(|count| buffer[..count].to_vec()),
            }
        }
    }

    /// Takes note of an end, and of what a receiver says that has nothing to say.
    fn look(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let read = match &self.socket {
                Socket::Tcp(stream) => stream.try_read(&mut buffer),
                Socket::Unix(stream) => stream.try_read(&mut buffer),
                Socket::Udp(..) | Socket::Unixgram(_) => return Ok(()),
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn look_for_error(&self) -> io::Result<()> {
        let error = match &self.socket {
            Socket::Tcp(stream) => stream.take_error()?,
            Socket::Unix(stream) => stream.take_error()?,
            Socket::Udp(..) | Socket::Unixgram(_) => None,
        };
        error.map_or(Ok(()), Err)
    }
}

async fn connect(address: &Address) -> Result<Socket, String> {
    match address {
        Address::Tcp { host, port } => {
            let mut last = None;
            for to in resolve("tcp", host, *port).await? {
                match TcpStream::connect(to).await {
                    Ok(stream) => {
                        // Lines that were looked for are not to wait again.
                        let _ = stream.set_nodelay(true);
                        return Ok(Socket::Tcp(stream));
                    }
                    Err(error) => last = Some(format!("dial tcp {to}: connect: {}", words(&error))),
                }
            }
            Err(last.unwrap_or_else(|| format!("dial tcp: lookup {host}: no such host")))
        }
        Address::Udp { host, port } => {
            let to = resolve("udp", host, *port).await?.into_iter().next();
            let to = to.ok_or_else(|| format!("dial udp: lookup {host}: no such host"))?;
            let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await;
            // Not connected: that nobody listens is nothing to a datagram.
            let socket = socket.map_err(|error| format!("dial udp {to}: {}", words(&error)))?;
            Ok(Socket::Udp(socket, to))
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await;
            let stream = stream.map_err(|error| format!("dial unix {path}: connect: {}", words(&error)))?;
            Ok(Socket::Unix(stream))
        }
        Address::Unixgram(path) => {
            let socket = unixgram(path);
            let socket =
                socket.map_err(|error| format!("dial unixgram {path}: connect: {}", words(&error)))?;
            Ok(Socket::Unixgram(socket))
        }
        Address::Local => {
            for path in LOCAL {
                if let Ok(socket) = unixgram(path) {
                    return Ok(Socket::Unixgram(socket));
                }
                if let Ok(stream) = UnixStream::connect(path).await {
                    return Ok(Socket::Unix(stream));
                }
            }
            Err("Unix syslog delivery error".to_owned())
        }
    }
}

fn unixgram(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

async fn resolve(network: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(_) => Err(format!("dial {network}: lookup {host}: no such host")),
    }
}

fn shown(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } => format!("tcp {host}:{port}"),
        Address::Udp { host, port } => format!("udp {host}:{port}"),
        Address::Unix(path) => format!("unix {path}"),
        Address::Unixgram(path) => format!("unixgram {path}"),
        Address::Local => "unixgram /dev/log".to_owned(),
    }
}

/// What an error is called in Go: without a number, in lower case.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Bytes that were written and that the other side's machine has not taken: of a TCP connection those that were not
/// acknowledged, of a Unix socket those that were not read.
fn unsent(socket: BorrowedFd<'_>) -> io::Result<i32> {
    let mut left: nix::libc::c_int = 0;
    // JUSTIFICATION: the kernel offers this by no other call, and no crate here has it.
    // SAFETY: TIOCOUTQ writes one int, which `left` is; the descriptor is open as long as it is borrowed.
    #[allow(unsafe_code)]
    let outcome = unsafe { nix::libc::ioctl(socket.as_raw_fd(), nix::libc::TIOCOUTQ, &raw mut left) };
    match outcome {
        0 => Ok(left),
        _ => Err(io::Error::last_os_error()),
    }
}
