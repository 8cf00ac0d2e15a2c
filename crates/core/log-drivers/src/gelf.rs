//! The driver `gelf`: each record is a JSON document, in datagrams that may be packed and in chunks, or ended by a zero
//! byte in a stream.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use flate2::Compression as Level;
use flate2::write::{GzEncoder, ZlibEncoder};
use roadstead_awslogs::Delivery;
use serde_json::{Map, Value};

use crate::address::{Address, host_port, split};
use crate::extras::Extras;
use crate::fault::Fault;
use crate::reader::Reader;
use crate::tag::Tag;
use crate::{Facts, Record, Sender};

/// Bytes of a datagram.
const DATAGRAM: usize = 8192;
/// Before the part of a message that a chunk carries: two bytes, the message's id, which chunk of how many.
const CHUNK_HEAD: usize = 12;
/// Chunks of a message.
const MAX_CHUNKS: usize = 128;
const ERROR: u8 = 3;
const INFORMATIONAL: u8 = 6;

/// Of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zlib,
    None,
}

/// The options of one container, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Gelf {
    pub address: Address,
    pub compression: Compression,
    /// 0 to 9.
    pub level: u32,
    /// Over a stream: tries to connect again after which a message is dropped. Without it, it waits as long as it takes.
    pub max_reconnect: Option<u32>,
    /// Over a stream: between tries.
    pub reconnect_delay: Duration,
    pub tag: Tag,
    pub extras: Extras,
    pub delivery: Delivery,
}

/// A delay of 0 is this long: without any, one would do nothing else while the receiver is away.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);

impl Gelf {
    pub(crate) fn read(options: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let mut reader = Reader::new("gelf", options);
        let address = reader.read("gelf-address", address)?.ok_or(Fault::Requires {
            driver: "gelf",
            option: "gelf-address",
        })?;
        if address.is_stream() {
            let only = ["gelf-compression-type", "gelf-compression-level"];
            reader.only_with("UDP", &only)?;
        } else {
            let only = ["gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"];
            reader.only_with("TCP", &only)?;
        }
        let compression = reader
            .read("gelf-compression-type", compression)?
            .unwrap_or(Compression::Gzip);
        if compression == Compression::None {
            reader.only_with(
                "a 'gelf-compression-type' that packs",
                &["gelf-compression-level"],
            )?;
        }
        let level = reader.number("gelf-compression-level", -1..=9_i32)?.unwrap_or(1);
        let delay = reader
            .number("gelf-tcp-reconnect-delay", 0..=86_400_u64)?
            .unwrap_or(1);
        let read = Self {
            address,
            compression,
            // Both -1 and 0 pack nothing.
            level: u32::try_from(level).unwrap_or(0),
            max_reconnect: reader.number("gelf-tcp-max-reconnect", 0..=u32::MAX)?,
            reconnect_delay: Duration::from_secs(delay).max(SHORTEST_DELAY),
            tag: reader.tag()?,
            extras: Extras::read(&mut reader)?,
            delivery: reader.delivery()?,
        };
        reader.end()?;
        Ok(read)
    }

    /// What is the same for all records of a container.
    pub(crate) fn fixed(&self, facts: &Facts) -> Map<String, Value> {
        let mut all = Map::new();
        for (name, value) in [
            ("_command", facts.command.clone()),
            ("_container_id", facts.id.clone()),
            ("_container_name", facts.name.clone()),
            ("_created", facts.created.clone()),
            ("_image_id", facts.image_id.clone()),
            ("_image_name", facts.image_name.clone()),
            ("_tag", self.tag.of(facts)),
        ] {
            all.insert(name.to_owned(), Value::String(value));
        }
        for (name, value) in self.extras.of(facts) {
            let name = if name.starts_with('_') {
                name
            } else {
                format!("_{name}")
            };
            all.insert(name, Value::String(value));
        }
        all
    }

    /// Datagrams, or one piece of a stream; none for an empty line.
    pub(crate) fn encode(
        &self,
        sender: &Sender,
        fixed: &Map<String, Value>,
        record: &Record,
    ) -> Vec<Vec<u8>> {
        if record.bytes.is_empty() {
            return Vec::new();
        }
        let mut all = Map::new();
        let level = if record.stderr { ERROR } else { INFORMATIONAL };
        all.insert("version".to_owned(), "1.1".into());
        all.insert("host".to_owned(), sender.host.as_str().into());
        let text = String::from_utf8_lossy(&record.bytes);
        all.insert("short_message".to_owned(), text.into());
        all.insert("timestamp".to_owned(), (record.time as f64 / 1000.0).into());
        all.insert("level".to_owned(), level.into());
        all.extend(fixed.iter().map(|(name, value)| (name.clone(), value.clone())));
        let mut document = Value::Object(all).to_string().into_bytes();
        if self.address.is_stream() {
            document.push(0);
            return vec![document];
        }
        chunks(self.packed(document), record.id)
    }

    fn packed(&self, document: Vec<u8>) -> Vec<u8> {
        let level = Level::new(self.level);
        let packed = match self.compression {
            Compression::None => return document,
            Compression::Gzip => {
                let mut packing = GzEncoder::new(Vec::new(), level);
                packing.write_all(&document).and_then(|()| packing.finish())
            }
            Compression::Zlib => {
                let mut packing = ZlibEncoder::new(Vec::new(), level);
                packing.write_all(&document).and_then(|()| packing.finish())
            }
        };
        // Into memory it cannot fail; a receiver reads it unpacked as well.
        packed.unwrap_or(document)
    }
}

/// A message in datagrams; one that would need too many is none.
fn chunks(message: Vec<u8>, id: [u8; 8]) -> Vec<Vec<u8>> {
    if message.len() <= DATAGRAM {
        return vec![message];
    }
    let parts = message.chunks(DATAGRAM - CHUNK_HEAD);
    let count = parts.len();
    if count > MAX_CHUNKS {
        return Vec::new();
    }
    let chunk = |(index, part): (usize, &[u8])| {
        let mut chunk = vec![0x1e, 0x0f];
        chunk.extend_from_slice(&id);
        chunk.extend_from_slice(&[index as u8, count as u8]);
        chunk.extend_from_slice(part);
        chunk
    };
    parts.enumerate().map(chunk).collect()
}

fn address(text: &str) -> Result<Address, String> {
    let end = |rest| host_port(rest, "localhost", None);
    match split(text) {
        Some(("udp", rest)) => end(rest).map(|(host, port)| Address::Udp { host, port }),
        Some(("tcp", rest)) => end(rest).map(|(host, port)| Address::Tcp { host, port }),
        _ => Err("it is udp://host:port or tcp://host:port".to_owned()),
    }
}

fn compression(text: &str) -> Result<Compression, String> {
    match text {
        "gzip" => Ok(Compression::Gzip),
        "zlib" => Ok(Compression::Zlib),
        "none" => Ok(Compression::None),
        _ => Err("it is gzip, zlib or none".to_owned()),
    }
}
