//! A connection whose other side must keep up: a write that makes no progress for long enough ends it, so
//! that clients that do not read cannot hold places and answers forever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The type of the record that TLS begins with; no method of HTTP does.
const HANDSHAKE: u8 = 0x16;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A TCP stream with a bound on how long a write may stand still.
pub(crate) struct Steady {
    stream: TcpStream,
    patience: Duration,
    /// When the write that is waiting is given up.
    deadline: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Steady {
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            deadline: Box::pin(sleep(patience)),
            waiting: false,
        }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = false;
            return result;
        }
        if !self.waiting {
            self.waiting = true;
            self.deadline.as_mut().reset(Instant::now() + self.patience);
        }
        match self.deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Steady {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Steady {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, data);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A handshake.
    Tls,
    /// HTTP/2 that both sides know of beforehand.
    Http2,
    Other,
}

/// Looks at the first bytes and takes none of them; waits for as many as are needed to tell, but not longer
/// than `patience`.
pub(crate) async fn opening(stream: &TcpStream, patience: Duration) -> io::Result<Opening> {
    let look = async {
        let mut seen = [0; PREFACE.len()];
        loop {
            let count = stream.peek(&mut seen).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if seen[0] == HANDSHAKE {
                return Ok(Opening::Tls);
            }
            if seen[..count] != PREFACE[..count] {
                return Ok(Opening::Other);
            }
            if count == PREFACE.len() {
                return Ok(Opening::Http2);
            }
            // What is there has been seen, and more does not wake a peek.
            sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(patience, look)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("bound"));
        let (near, far) = tokio::join!(near, listener.accept());
        (near.expect("connects"), far.expect("accepts").0)
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let (near, far) = pair().await;
        let mut steady = Steady::new(near, PATIENCE);
        let all = steady.write_all(&vec![0; 64 * 1024 * 1024]).await;
        assert_eq!(all.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        drop(far);
    }

    #[tokio::test]
    async fn a_client_that_reads_slowly_is_not() {
        use tokio::io::AsyncReadExt as _;
        // In all it takes longer than may lie between two reads, and each comes long before that.
        let (patience, pause) = (Duration::from_secs(3), Duration::from_millis(300));
        let (near, mut far) = pair().await;
        let mut steady = Steady::new(near, patience);
        let total = 16 * 1024 * 1024;
        let reader = async {
            let mut buffer = vec![0; 1024 * 1024];
            let mut read = 0;
            while read < total {
                sleep(pause).await;
                read += far.read(&mut buffer).await.expect("reads");
            }
        };
        let data = vec![0; total];
        let (written, ()) = tokio::join!(steady.write_all(&data), reader);
        assert!(written.is_ok(), "{written:?}");
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_protocol_and_stay() {
        use tokio::io::AsyncReadExt as _;
        for (sent, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], Some(Opening::Http2)),
            (b"POST / HTTP/1.1\r\n", Some(Opening::Other)),
            (b"PRI * HTTP/1.1\r\n", Some(Opening::Other)),
            (b"\x16\x03\x01", Some(Opening::Tls)),
            (b"PRI", None),
            (b"", None),
        ] {
            let (mut near, mut far) = pair().await;
            near.write_all(sent).await.expect("writes");
            assert_eq!(opening(&far, PATIENCE).await.ok(), expected, "{sent:?}");
            let mut again = vec![0; sent.len()];
            far.read_exact(&mut again).await.expect("still there");
            assert_eq!(again, sent);
        }
    }
}
