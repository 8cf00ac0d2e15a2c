//! `gelf`: a JSON object to a line; in datagrams compressed and in chunks, over TCP as it is with a zero byte behind.

use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use crate::{About, Address, Line, Tag};

const INFORMATIONAL: u8 = 6;
const ERROR: u8 = 3;
/// Bytes of a datagram that pass any network, twelve of them before a chunk's own.
const DATAGRAM: usize = 1420;
const CHUNK: usize = DATAGRAM - 12;
/// More chunks are no message.
const MOST_CHUNKS: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip(u32),
    Zlib(u32),
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gelf {
    /// UDP or TCP.
    pub address: Address,
    pub tag: Tag,
    pub compression: Compression,
    /// Attempts to reach a receiver over TCP again before lines are dropped, and the wait before each.
    pub max_reconnect: u32,
    pub reconnect_delay: std::time::Duration,
}

impl Gelf {
    /// What is sent over TCP.
    pub fn framed(&self, about: &About, line: &Line) -> Vec<u8> {
        let mut bytes = self.message(about, line);
        bytes.push(0);
        bytes
    }

    /// The datagrams of a line, `id` in each of several; none when it would take too many.
    pub fn datagrams(&self, about: &About, line: &Line, id: [u8; 8]) -> Vec<Vec<u8>> {
        let bytes = self.compressed(self.message(about, line));
        if bytes.len() <= DATAGRAM {
            return vec![bytes];
        }
        let count = bytes.len().div_ceil(CHUNK);
        let Ok(total) = u8::try_from(count) else {
            return Vec::new();
        };
        if count > MOST_CHUNKS {
            return Vec::new();
        }
        let chunk = |(number, piece): (u8, &[u8])| {
            let mut datagram = vec![0x1e, 0x0f];
            datagram.extend(id);
            datagram.extend([number, total]);
            datagram.extend(piece);
            datagram
        };
        (0..).zip(bytes.chunks(CHUNK)).map(chunk).collect()
    }

    fn message(&self, about: &About, line: &Line) -> Vec<u8> {
        let Line { time, stderr, text } = line;
        let About {
            id,
            name,
            image,
            hostname,
            pid: _,
        } = about;
        let level = if *stderr { ERROR } else { INFORMATIONAL };
        let message = json!({
            "version": "1.1", "host": hostname, "short_message": text, "timestamp": *time as f64 / 1000.0, "level": level,
            "_container_id": id, "_container_name": name, "_image_name": image, "_tag": self.tag.of(about),
        });
        message.to_string().into_bytes()
    }

    fn compressed(&self, bytes: Vec<u8>) -> Vec<u8> {
        // Writing to memory does not fail; if it did, what is not compressed is a message, too.
        let squeezed = match self.compression {
            Compression::None => return bytes,
            Compression::Gzip(level) => {
                let mut encoder = GzEncoder::new(Vec::new(), Level::new(level));
                encoder.write_all(&bytes).and_then(|()| encoder.finish())
            }
            Compression::Zlib(level) => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Level::new(level));
                encoder.write_all(&bytes).and_then(|()| encoder.finish())
            }
        };
        squeezed.unwrap_or(bytes)
    }
}
