//! A receiver of lines outside: a syslog daemon, a Fluentd, a GELF input. It is reached from the machine, as Docker's
//! daemon does it, and not from the container's network.

use std::io::{self, ErrorKind};
use std::time::Duration;

use roadstead_log_drivers::{About, Address, Driver, Fluentd, Line, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// To connect, to write what one call sends, and for an acknowledgement.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an acknowledgement.
const MOST_ACKNOWLEDGEMENT: usize = 4096;

enum Connection {
    Udp(UdpSocket),
    Unixgram(UnixDatagram),
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Where one container's lines go.
pub(super) struct Receiver {
    pub options: Options,
    about: About,
    connection: Mutex<Option<Connection>>,
}

impl Receiver {
    pub(super) fn new(options: Options, about: About) -> Self {
        Self {
            options,
            about,
            connection: Mutex::new(None),
        }
    }

    fn address(&self) -> &Address {
        match &self.options.driver {
            Driver::Syslog(syslog) => &syslog.address,
            Driver::Fluentd(fluentd) => &fluentd.address,
            Driver::Gelf(gelf) => &gelf.address,
        }
    }

    /// Reaches the receiver; before the container starts, unless its options let it start without.
    ///
    /// # Errors
    /// The reason, in the words of Docker's drivers.
    pub(super) async fn open(&self) -> Result<(), String> {
        let starts_without = matches!(
            &self.options.driver,
            Driver::Fluentd(Fluentd {
                starts_without: true,
                ..
            })
        );
        let mut connection = self.connection.lock().await;
        match self.connect().await {
            Ok(made) => {
                *connection = Some(made);
                Ok(())
            }
            Err(_) if starts_without => Ok(()),
            Err(error) => Err(self.dial(&error)),
        }
    }

    fn dial(&self, error: &io::Error) -> String {
        let (network, place) = match self.address() {
            Address::Udp { host, port } => ("udp", format!("{host}:{port}")),
            Address::Tcp { host, port } => ("tcp", format!("{host}:{port}")),
            Address::Unix(path) => ("unix", path.clone()),
            Address::Unixgram(path) => ("unixgram", path.clone()),
        };
        let why = match error.kind() {
            ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            ErrorKind::NotFound => "no such file or directory".to_owned(),
            ErrorKind::TimedOut => "i/o timeout".to_owned(),
            _ => error.to_string(),
        };
        format!("dial {network} {place}: connect: {why}")
    }

    async fn connect(&self) -> io::Result<Connection> {
        let connect = async {
            Ok(match self.address() {
                Address::Udp { host, port } => {
                    let mut addresses = tokio::net::lookup_host((host.as_str(), *port)).await?;
                    let address = addresses.next().ok_or(ErrorKind::AddrNotAvailable)?;
                    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    let socket = UdpSocket::bind(own).await?;
                    socket.connect(address).await?;
                    Connection::Udp(socket)
                }
                Address::Tcp { host, port } => {
                    Connection::Tcp(TcpStream::connect((host.as_str(), *port)).await?)
                }
                Address::Unix(path) => Connection::Unix(UnixStream::connect(path).await?),
                Address::Unixgram(path) => {
                    let socket = UnixDatagram::unbound()?;
                    socket.connect(path)?;
                    Connection::Unixgram(socket)
                }
            })
        };
        timeout(WITHIN, connect)
            .await
            .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    /// Sends lines in order; how many have been sent, and why not all.
    pub(super) async fn send(&self, lines: &[Line]) -> (usize, io::Result<()>) {
        let mut connection = self.connection.lock().await;
        for (sent, line) in lines.iter().enumerate() {
            let result = match timeout(WITHIN, self.one(&mut connection, line)).await {
                Ok(result) => result,
                Err(_) => Err(ErrorKind::TimedOut.into()),
            };
            if let Err(error) = result {
                // The next attempt begins anew.
                *connection = None;
                return (sent, Err(error));
            }
        }
        (lines.len(), Ok(()))
    }

    async fn one(&self, connection: &mut Option<Connection>, line: &Line) -> io::Result<()> {
        let connected = match connection.take().filter(Connection::is_open) {
            Some(connected) => connected,
            None => self.connect().await?,
        };
        let connected = connection.insert(connected);
        match &self.options.driver {
            Driver::Syslog(syslog) => connected.write(&syslog.message(&self.about, line)).await,
            Driver::Fluentd(fluentd) => {
                let chunk = roadstead_base::random_hex(32);
                connected.write(&fluentd.entry(&self.about, line, &chunk)).await?;
                match fluentd.acknowledged {
                    true => connected.acknowledged(&chunk).await,
                    false => Ok(()),
                }
            }
            Driver::Gelf(gelf) => match connected {
                Connection::Udp(socket) => {
                    let id = roadstead_base::random_bytes::<8>().map_err(io::Error::other)?;
                    for datagram in gelf.datagrams(&self.about, line, id) {
                        deliver(socket.send(&datagram).await)?;
                    }
                    Ok(())
                }
                stream => stream.write(&gelf.framed(&self.about, line)).await,
            },
        }
    }
}

/// A datagram that nobody takes is lost, as datagrams are; the next may find somebody.
fn deliver(sent: io::Result<usize>) -> io::Result<()> {
    match sent {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        sent => sent.map(drop),
    }
}

impl Connection {
    /// Whether the other side has not hung up, as far as that is known here.
    fn is_open(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Udp(_) | Self::Unixgram(_) => return true,
            Self::Tcp(stream) => stream.try_read(&mut byte),
            Self::Unix(stream) => stream.try_read(&mut byte),
        };
        !matches!(read, Ok(0)) && !read.is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => deliver(socket.send(bytes).await),
            Self::Unixgram(socket) => socket.send(bytes).await.map(drop),
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Unix(stream) => stream.write_all(bytes).await,
        }
    }

    /// Waits for the receiver's word that it has the entry.
    async fn acknowledged(&mut self, chunk: &str) -> io::Result<()> {
        let mut heard = Vec::new();
        loop {
            let mut buffer = [0; 512];
            let read = match self {
                Self::Tcp(stream) => stream.read(&mut buffer).await?,
                Self::Unix(stream) => stream.read(&mut buffer).await?,
                Self::Udp(_) | Self::Unixgram(_) => 0,
            };
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            heard.extend_from_slice(&buffer[..read]);
            while let Some((said, length)) = Fluentd::acknowledgement(&heard) {
                if said == chunk {
                    return Ok(());
                }
                heard.drain(..length);
            }
            if heard.len() > MOST_ACKNOWLEDGEMENT {
                return Err(io::Error::other(
                    "the receiver says something else than acknowledgements",
                ));
            }
        }
    }
}
