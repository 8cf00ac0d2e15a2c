//! Any of the drivers.

use std::collections::BTreeMap;
use std::time::Duration;

use roadstead_awslogs::Delivery;
use serde_json::{Map, Value};

use crate::address::Address;
use crate::fault::Fault;
use crate::fluentd::{Fixed, Fluentd};
use crate::gelf::Gelf;
use crate::syslog::Syslog;
use crate::{Facts, Record, Sender};

/// A driver and its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Driver {
    Syslog(Syslog),
    Fluentd(Fluentd),
    Gelf(Gelf),
}

/// How a message is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    pub wait: Duration,
    /// By which waits grow.
    pub factor: f64,
    pub most: Duration,
    /// Tries after which a message is dropped.
    pub tries: Option<u32>,
}

impl Retry {
    /// The wait after `failed` tries in a row.
    pub fn after(&self, failed: u32) -> Duration {
        let exponent = i32::try_from(failed.saturating_sub(1).min(64)).unwrap_or(64);
        let grown = self.wait.as_secs_f64() * self.factor.powi(exponent);
        Duration::from_secs_f64(grown.min(self.most.as_secs_f64()))
    }
}

/// What goes over the wire for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Datagrams, or one piece of a stream. None when there is nothing to say.
    pub pieces: Vec<Vec<u8>>,
    /// What the receiver has to acknowledge.
    pub acknowledged: Option<[u8; 8]>,
}

impl Driver {
    /// None for a driver that is none of these.
    ///
    /// # Errors
    /// [`Fault`]: the first option that is missing, unknown, malformed or without effect here.
    pub fn read(name: &str, options: &BTreeMap<String, String>) -> Result<Option<Self>, Fault> {
        Ok(Some(match name {
            "syslog" => Self::Syslog(Syslog::read(options)?),
            "fluentd" => Self::Fluentd(Fluentd::read(options)?),
            "gelf" => Self::Gelf(Gelf::read(options)?),
            _ => return Ok(None),
        }))
    }

    pub fn address(&self) -> &Address {
        match self {
            Self::Syslog(syslog) => &syslog.address,
            Self::Fluentd(fluentd) => &fluentd.address,
            Self::Gelf(gelf) => &gelf.address,
        }
    }

    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Syslog(syslog) => syslog.delivery,
            Self::Fluentd(fluentd) => fluentd.delivery,
            Self::Gelf(gelf) => gelf.delivery,
        }
    }

    /// Records that may wait to be sent, where there is a bound on their number.
    pub fn records(&self) -> Option<u64> {
        match self {
            Self::Fluentd(fluentd) => fluentd.events,
            Self::Syslog(_) | Self::Gelf(_) => None,
        }
    }

    /// Whether the container has to wait for a receiver before it starts.
    pub fn connects_first(&self) -> bool {
        !matches!(self, Self::Fluentd(fluentd) if fluentd.background)
    }

    /// A connection is not used longer than this.
    pub fn reconnect(&self) -> Option<Duration> {
        match self {
            Self::Fluentd(fluentd) => fluentd.reconnect,
            Self::Syslog(_) | Self::Gelf(_) => None,
        }
    }

    pub fn write_timeout(&self) -> Option<Duration> {
        match self {
            Self::Fluentd(fluentd) => fluentd.write_timeout,
            Self::Syslog(_) | Self::Gelf(_) => None,
        }
    }

    /// Whether facts of the image are told.
    pub fn tells_of_image(&self) -> bool {
        match self {
            Self::Syslog(_) => false,
            Self::Fluentd(fluentd) => !fluentd.extras.is_empty(),
            Self::Gelf(_) => true,
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::Syslog(_) => Retry {
                wait: Duration::from_millis(250),
                factor: 2.0,
                most: Duration::from_secs(30),
                tries: None,
            },
            Self::Fluentd(fluentd) => Retry {
                wait: fluentd.retry_wait,
                factor: 1.5,
                most: Duration::from_secs(60).max(fluentd.retry_wait),
                tries: Some(fluentd.max_retries),
            },
            Self::Gelf(gelf) => Retry {
                wait: gelf.reconnect_delay,
                factor: 1.0,
                most: gelf.reconnect_delay,
                tries: gelf.max_reconnect.map(|tries| tries.saturating_add(1)),
            },
        }
    }

    /// For the records of one container.
    pub fn encoder(&self, facts: Facts, sender: Sender) -> Encoder {
        let form = match self {
            Self::Syslog(syslog) => Form::Syslog(syslog.clone(), syslog.tag.of(&facts)),
            Self::Fluentd(fluentd) => {
                let fixed = Fixed {
                    tag: fluentd.tag.of(&facts),
                    extras: fluentd.extras.of(&facts),
                };
                Form::Fluentd(fluentd.clone(), fixed)
            }
            Self::Gelf(gelf) => Form::Gelf(gelf.clone(), gelf.fixed(&facts)),
        };
        Encoder { facts, sender, form }
    }
}

enum Form {
    Syslog(Syslog, String),
    Fluentd(Fluentd, Fixed),
    Gelf(Gelf, Map<String, Value>),
}

/// Turns one container's records into messages.
pub struct Encoder {
    facts: Facts,
    sender: Sender,
    form: Form,
}

impl Encoder {
    pub fn encode(&self, record: &Record) -> Message {
        match &self.form {
            Form::Syslog(syslog, tag) => Message {
                pieces: syslog.encode(&self.sender, tag, record).into_iter().collect(),
                acknowledged: None,
            },
            Form::Fluentd(fluentd, fixed) => Message {
                pieces: vec![fluentd.encode(&self.facts, fixed, record)],
                acknowledged: fluentd.acknowledged.then_some(record.id),
            },
            Form::Gelf(gelf, fixed) => Message {
                pieces: gelf.encode(&self.sender, fixed, record),
                acknowledged: None,
            },
        }
    }
}
