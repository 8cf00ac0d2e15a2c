//! The driver `fluentd`: each record is an event of the forward protocol, in its message mode.

use std::collections::BTreeMap;
use std::time::Duration;

use roadstead_awslogs::Delivery;

use crate::address::{Address, host_port, path, split};
use crate::duration;
use crate::extras::Extras;
use crate::fault::Fault;
use crate::msgpack;
use crate::reader::Reader;
use crate::tag::Tag;
use crate::{Facts, Record};

const PORT: u16 = 24224;
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// The options of one container, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Fluentd {
    pub address: Address,
    /// The container starts whether or not the receiver is there.
    pub background: bool,
    /// A connection is not used longer than this.
    pub reconnect: Option<Duration>,
    /// Events that may wait; what comes then is dropped.
    pub events: Option<u64>,
    pub retry_wait: Duration,
    /// An event is dropped that could not be sent in so many tries.
    pub max_retries: u32,
    /// Times with milliseconds, which is what is known, and not with seconds alone.
    pub precise: bool,
    /// The receiver says what it has got.
    pub acknowledged: bool,
    /// How long a write may take.
    pub write_timeout: Option<Duration>,
    pub tag: Tag,
    pub extras: Extras,
    pub delivery: Delivery,
}

impl Fluentd {
    pub(crate) fn read(options: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let mut reader = Reader::new("fluentd", options);
        if options
            .get("fluentd-address")
            .is_some_and(|address| address.starts_with("tls://"))
        {
            return Err(reader.unsupported("fluentd-address = tls"));
        }
        let (background, older) = (
            reader.flag("fluentd-async")?,
            reader.flag("fluentd-async-connect")?,
        );
        if background.is_some()
            && let Some(value) = options.get("fluentd-async-connect")
        {
            return Err(Fault::Value {
                driver: "fluentd",
                option: "fluentd-async-connect",
                value: value.clone(),
                why: "it is the older name of 'fluentd-async', which is there as well".to_owned(),
            });
        }
        let background = background.or(older).unwrap_or(false);
        if !background {
            let only = ["fluentd-async-reconnect-interval", "fluentd-buffer-limit"];
            reader.only_with("'fluentd-async' = 'true'", &only)?;
        }
        let interval = reader.read("fluentd-async-reconnect-interval", |text| match text.parse() {
            Ok(0) => Ok(None),
            Ok(milliseconds @ 100..=10_000) => Ok(Some(Duration::from_millis(milliseconds))),
            _ => Err("it is 0 or a number of milliseconds from 100 to 10000".to_owned()),
        })?;
        let address = reader.read("fluentd-address", address)?;
        let read = Self {
            address: address.unwrap_or(Address::Tcp {
                host: "127.0.0.1".to_owned(),
                port: PORT,
            }),
            background,
            reconnect: interval.flatten(),
            events: reader.read("fluentd-buffer-limit", events)?,
            retry_wait: reader
                .read("fluentd-retry-wait", duration::read)?
                // The vendor's client takes 0 for what it does without the option.
                .filter(|wait| !wait.is_zero())
                .unwrap_or(RETRY_WAIT),
            max_retries: reader
                .number("fluentd-max-retries", 1..=u32::MAX)?
                .unwrap_or(u32::MAX),
            precise: reader.flag("fluentd-sub-second-precision")?.unwrap_or(false),
            acknowledged: reader.flag("fluentd-request-ack")?.unwrap_or(false),
            write_timeout: reader
                .read("fluentd-write-timeout", duration::read)?
                .filter(|timeout| !timeout.is_zero()),
            tag: reader.tag()?,
            extras: Extras::read(&mut reader)?,
            delivery: reader.delivery()?,
        };
        reader.end()?;
        Ok(read)
    }

    /// `[tag, time, record]`, with the name to be acknowledged where that is asked for.
    pub(crate) fn encode(&self, facts: &Facts, fixed: &Fixed, record: &Record) -> Vec<u8> {
        let mut out = Vec::with_capacity(record.bytes.len() + 256);
        msgpack::array(&mut out, if self.acknowledged { 4 } else { 3 });
        msgpack::text(&mut out, fixed.tag.as_bytes());
        if self.precise {
            msgpack::event_time(&mut out, record.time);
        } else {
            msgpack::integer(&mut out, record.time.div_euclid(1000));
        }
        let own = ["container_id", "container_name", "source", "log"];
        let extras = fixed
            .extras
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()));
        let parts = if record.part.is_some() { 4 } else { 0 };
        msgpack::map(&mut out, own.len() + extras.clone().count() + parts);
        let mut pair = |name: &str, value: &[u8]| {
            msgpack::text(&mut out, name.as_bytes());
            msgpack::text(&mut out, value);
        };
        pair("container_id", facts.id.as_bytes());
        pair("container_name", format!("/{}", facts.name).as_bytes());
        pair("source", if record.stderr { b"stderr" } else { b"stdout" });
        pair("log", &record.bytes);
        for (name, value) in extras {
            pair(name, value.as_bytes());
        }
        if let Some(part) = &record.part {
            pair("partial_message", b"true");
            pair("partial_id", format!("{:016x}", part.line).as_bytes());
            pair("partial_ordinal", part.ordinal.to_string().as_bytes());
            pair("partial_last", part.last.to_string().as_bytes());
        }
        if self.acknowledged {
            msgpack::map(&mut out, 1);
            msgpack::text(&mut out, b"chunk");
            msgpack::text(&mut out, chunk(record.id).as_bytes());
        }
        out
    }
}

/// What is the same for all records of a container.
pub(crate) struct Fixed {
    pub(crate) tag: String,
    pub(crate) extras: BTreeMap<String, String>,
}

/// By what name a record is acknowledged.
pub(crate) fn chunk(id: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(id))
}

/// What a receiver has said so far.
#[derive(Debug, Default)]
pub struct Ack {
    bytes: Vec<u8>,
}

impl Ack {
    /// Takes bytes that came, and returns the ids of what they acknowledge.
    ///
    /// # Errors
    /// They are no acknowledgement.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<[u8; 8]>, &'static str> {
        self.bytes.extend_from_slice(bytes);
        let mut read = Vec::new();
        while let Some((texts, length)) = msgpack::texts(&self.bytes)? {
            self.bytes.drain(..length);
            let ack = texts.into_iter().find(|(name, _)| name == "ack");
            let (_, chunk) = ack.ok_or("an acknowledgement has a member ack")?;
            let id = u64::from_str_radix(&chunk, 16).map_err(|_| "it acknowledges what was not sent")?;
            read.push(id.to_be_bytes());
        }
        Ok(read)
    }
}

fn address(text: &str) -> Result<Address, String> {
    let end = |rest| host_port(rest, "127.0.0.1", Some(PORT)).map(|(host, port)| Address::Tcp { host, port });
    match split(text) {
        None => end(text),
        Some(("tcp", rest)) => end(rest),
        Some(("unix", rest)) => path(rest).map(Address::Unix),
        Some(_) => Err("it is host:port, or begins with tcp:// or unix://".to_owned()),
    }
}

/// A number; Docker reads it as it reads sizes.
fn events(text: &str) -> Result<u64, String> {
    roadstead_awslogs::size(text).ok_or_else(|| "it is a number of events, at least 1".to_owned())
}
