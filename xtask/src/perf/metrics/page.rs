//! What Prometheus scrapes: pages, each given once; an empty one when there is none to give.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

#[derive(Default)]
struct Waiting {
    pages: VecDeque<Vec<u8>>,
    /// Requests since pages were put here that found none any more: with the first, the last page was taken in.
    beyond: usize,
}

/// Served until the program ends.
pub(super) struct Pages {
    address: String,
    waiting: Arc<(Mutex<Waiting>, Condvar)>,
}

impl Pages {
    pub(super) fn serve() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let waiting: Arc<(Mutex<Waiting>, Condvar)> = Arc::default();
        let shared = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(&stream, &shared));
            }
        });
        Ok(Self { address, waiting })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Has these pages scraped, one after another.
    pub(super) fn scraped(&self, pages: Vec<Vec<u8>>, within: Duration) -> Result<()> {
        let (waiting, changed) = &*self.waiting;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Waiting {
            pages: pages.into(),
            beyond: 0,
        };
        let deadline = Instant::now() + within;
        while waiting.beyond == 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                bail!("{} pages were not scraped within {within:?}", waiting.pages.len());
            };
            (waiting, _) = changed
                .wait_timeout(waiting, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

/// Until the other side has enough.
fn answer(stream: &TcpStream, shared: &(Mutex<Waiting>, Condvar)) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.trim_end().is_empty() {
            continue;
        }
        let (waiting, changed) = shared;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let page = waiting.pages.pop_front();
        if page.is_none() {
            waiting.beyond += 1;
            changed.notify_all();
        }
        drop(waiting);
        let encoding = if page.is_some() {
            "Content-Encoding: gzip\r\n"
        } else {
            ""
        };
        let page = page.unwrap_or_default();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n{encoding}Content-Length: {}\r\n\r\n",
            page.len()
        );
        let mut stream = stream;
        stream.write_all(&[head.as_bytes(), &page].concat())?;
    }
}
