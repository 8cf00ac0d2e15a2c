//! `fluentd`: the Forward protocol in message mode, an entry to a line.

use std::time::Duration;

use crate::{About, Address, Line, Tag, msgpack};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fluentd {
    pub address: Address,
    pub tag: Tag,
    /// The container starts although the receiver cannot be reached.
    pub starts_without: bool,
    pub sub_second: bool,
    /// Each entry is acknowledged before it counts as sent.
    pub acknowledged: bool,
    pub retry_wait: Duration,
    /// Attempts to send before lines are dropped; none: as long as the container lives.
    pub max_retries: Option<u32>,
}

impl Fluentd {
    /// An entry; `chunk` is what its acknowledgement will say, where one is asked for.
    pub fn entry(&self, about: &About, line: &Line, chunk: &str) -> Vec<u8> {
        let Line { time, stderr, text } = line;
        let mut out = Vec::with_capacity(text.len() + 256);
        msgpack::array(&mut out, if self.acknowledged { 4 } else { 3 });
        msgpack::text(&mut out, &self.tag.of(about));
        match self.sub_second {
            true => msgpack::event_time(&mut out, *time),
            false => msgpack::seconds(&mut out, time.div_euclid(1000)),
        }
        let record = [
            ("container_id", about.id.as_str()),
            ("container_name", &format!("/{}", about.name)),
            ("source", if *stderr { "stderr" } else { "stdout" }),
            ("log", text),
        ];
        msgpack::map(&mut out, 4);
        for (name, value) in record {
            msgpack::text(&mut out, name);
            msgpack::text(&mut out, value);
        }
        if self.acknowledged {
            msgpack::map(&mut out, 1);
            msgpack::text(&mut out, "chunk");
            msgpack::text(&mut out, chunk);
        }
        out
    }

    /// What the receiver acknowledges, and how many bytes that took; none while it is not whole.
    pub fn acknowledgement(bytes: &[u8]) -> Option<(String, usize)> {
        let (chunk, rest) = msgpack::value_in_map(bytes, "ack")?;
        Some((chunk.to_owned(), bytes.len() - rest.len()))
    }
}
