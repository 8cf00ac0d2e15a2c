//! The options of a container's `logConfiguration`, read and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use roadstead_awslogs::{MAX_BUFFER, Mode};

use crate::address::place;
use crate::{Address, Compression, Fault, Fluentd, Format, Gelf, Syslog, Tag, syslog};

/// What may wait on the node's disk when the definition does not say: non-blocking as documented for
/// LogConfiguration, blocking as of a pipe and what has been read of it.
const DEFAULT_BUFFER: u64 = 10 << 20;
const BLOCKING_BUFFER: u64 = 4 << 20;
const SYSLOG_PORT: u16 = 514;
const FLUENTD_PORT: u16 = 24224;
const GELF_PORT: u16 = 12201;
/// Where local programs log.
const LOCAL: &str = "/dev/log";
const RETRY_WAIT: Duration = Duration::from_secs(1);
const MAX_RETRY_WAIT: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    Syslog(Syslog),
    Fluentd(Fluentd),
    Gelf(Gelf),
}

/// Where a container's lines are sent, and what happens while they cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub driver: Driver,
    pub mode: Mode,
    /// Bytes that may wait to be sent.
    pub buffer: u64,
}

/// The options that are left, of one driver.
struct Rest {
    driver: &'static str,
    options: BTreeMap<String, String>,
}

impl Rest {
    fn take<T>(
        &mut self,
        option: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.options.remove(option) else {
            return Ok(None);
        };
        read(&value).map(Some).map_err(|why| Fault::Value {
            driver: self.driver,
            option: option.to_owned(),
            value: value.chars().take(64).collect(),
            why,
        })
    }

    /// Nothing may be left: what the driver has elsewhere is without effect here, the rest is none of its own.
    fn end(self, elsewhere: &[&str]) -> Result<(), Fault> {
        let driver = self.driver;
        match self.options.into_keys().next() {
            None => Ok(()),
            Some(option) if elsewhere.contains(&option.as_str()) => {
                Err(Fault::Unsupported { driver, option })
            }
            Some(option) => Err(Fault::Disallows {
                driver,
                option: option.chars().take(64).collect(),
            }),
        }
    }
}

/// Options of every driver that add to lines what is not known here.
const DETAILS: [&str; 4] = ["labels", "labels-regex", "env", "env-regex"];

impl Options {
    /// # Errors
    /// [`Fault`]: the first option that is missing, unknown, malformed or without effect here. None: a driver that is
    /// not one of these.
    pub fn read(driver: &str, options: &BTreeMap<String, String>) -> Option<Result<Self, Fault>> {
        let driver = ["syslog", "fluentd", "gelf"]
            .into_iter()
            .find(|name| *name == driver)?;
        let rest = Rest {
            driver,
            options: options.clone(),
        };
        Some(Self::of(rest))
    }

    fn of(mut rest: Rest) -> Result<Self, Fault> {
        let mode = rest.take("mode", |text| match text {
            "blocking" => Ok(Mode::Blocking),
            "non-blocking" => Ok(Mode::NonBlocking),
            _ => Err("it is blocking or non-blocking".to_owned()),
        })?;
        let asked = rest.take("max-buffer-size", size)?;
        let mode = mode.unwrap_or(Mode::NonBlocking);
        let buffer = match (mode, asked) {
            (Mode::Blocking, Some(_)) => {
                return Err(Fault::Value {
                    driver: rest.driver,
                    option: "max-buffer-size".to_owned(),
                    value: String::new(),
                    why: "it is only supported with 'mode' = 'non-blocking'".to_owned(),
                });
            }
            (Mode::Blocking, None) => BLOCKING_BUFFER,
            (Mode::NonBlocking, asked) => asked.unwrap_or(DEFAULT_BUFFER),
        };
        let driver = match rest.driver {
            "syslog" => Driver::Syslog(syslog(rest)?),
            "fluentd" => Driver::Fluentd(fluentd(rest)?),
            _ => Driver::Gelf(gelf(rest)?),
        };
        Ok(Self { driver, mode, buffer })
    }
}

fn syslog(mut rest: Rest) -> Result<Syslog, Fault> {
    let read = Syslog {
        address: rest
            .take("syslog-address", |text| Address::read(text, SYSLOG_PORT))?
            .unwrap_or_else(|| Address::Unixgram(LOCAL.to_owned())),
        facility: rest.take("syslog-facility", syslog::facility)?.unwrap_or(3),
        format: rest.take("syslog-format", Format::read)?.unwrap_or_default(),
        tag: rest.take("tag", Tag::read)?.unwrap_or_default(),
    };
    let tls = [
        "syslog-tls-ca-cert",
        "syslog-tls-cert",
        "syslog-tls-key",
        "syslog-tls-skip-verify",
    ];
    rest.end(&[&DETAILS[..], &tls[..]].concat())?;
    Ok(read)
}

fn fluentd(mut rest: Rest) -> Result<Fluentd, Fault> {
    let local = || Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: FLUENTD_PORT,
    };
    let read = Fluentd {
        address: rest
            .take("fluentd-address", |text| match text.contains("://") {
                true => match Address::read(text, FLUENTD_PORT)? {
                    Address::Udp { .. } | Address::Unixgram(_) => Err("it is tcp:// or unix://".to_owned()),
                    address => Ok(address),
                },
                false => place(text, FLUENTD_PORT).map(|(host, port)| Address::Tcp { host, port }),
            })?
            .unwrap_or_else(local),
        tag: rest.take("tag", Tag::read)?.unwrap_or_default(),
        starts_without: rest.take("fluentd-async", flag)?.unwrap_or_default(),
        sub_second: rest
            .take("fluentd-sub-second-precision", flag)?
            .unwrap_or_default(),
        acknowledged: rest.take("fluentd-request-ack", flag)?.unwrap_or_default(),
        retry_wait: rest.take("fluentd-retry-wait", duration)?.unwrap_or(RETRY_WAIT),
        max_retries: rest.take("fluentd-max-retries", number)?,
    };
    // What waits does so on the node's disk: see max-buffer-size.
    let elsewhere = [
        "fluentd-async-connect",
        "fluentd-async-reconnect-interval",
        "fluentd-buffer-limit",
        "fluentd-read-timeout",
        "fluentd-write-timeout",
    ];
    rest.end(&[&DETAILS[..], &elsewhere[..]].concat())?;
    Ok(read)
}

fn gelf(mut rest: Rest) -> Result<Gelf, Fault> {
    let address = rest.take("gelf-address", |text| match Address::read(text, GELF_PORT)? {
        Address::Unix(_) | Address::Unixgram(_) => Err("it is udp:// or tcp://".to_owned()),
        address => Ok(address),
    })?;
    let Some(address) = address else {
        return Err(Fault::Requires {
            driver: rest.driver,
            option: "gelf-address",
        });
    };
    let tcp = matches!(address, Address::Tcp { .. });
    let wrong = |option: &str, protocol: &str| Fault::Value {
        driver: "gelf",
        option: option.to_owned(),
        value: String::new(),
        why: format!("it is for {protocol} only"),
    };
    for (option, for_tcp) in [
        ("gelf-compression-type", false),
        ("gelf-compression-level", false),
        ("gelf-tcp-max-reconnect", true),
        ("gelf-tcp-reconnect-delay", true),
    ] {
        if rest.options.contains_key(option) && tcp != for_tcp {
            return Err(wrong(option, if for_tcp { "tcp" } else { "udp" }));
        }
    }
    let level = rest.take("gelf-compression-level", |text| match text.parse::<i32>() {
        Ok(-1) => Ok(6),
        Ok(level @ 0..=9) => Ok(u32::try_from(level).unwrap_or(6)),
        _ => Err("it is -1 to 9".to_owned()),
    })?;
    let level = level.unwrap_or(1);
    let compression = rest.take("gelf-compression-type", |text| match text {
        "gzip" => Ok(Compression::Gzip(level)),
        "zlib" => Ok(Compression::Zlib(level)),
        "none" => Ok(Compression::None),
        _ => Err("it is gzip, zlib or none".to_owned()),
    })?;
    let seconds = |text: &str| number(text).map(|seconds| Duration::from_secs(u64::from(seconds)));
    let read = Gelf {
        address,
        tag: rest.take("tag", Tag::read)?.unwrap_or_default(),
        compression: compression.unwrap_or(if tcp {
            Compression::None
        } else {
            Compression::Gzip(level)
        }),
        max_reconnect: rest.take("gelf-tcp-max-reconnect", number)?.unwrap_or(3),
        reconnect_delay: rest
            .take("gelf-tcp-reconnect-delay", seconds)?
            .unwrap_or(RETRY_WAIT),
    };
    rest.end(&DETAILS)?;
    Ok(read)
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "it is true or false".to_owned())
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "it is a number".to_owned())
}

/// `500ms`, `1s`, `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "it is a time such as 500ms, 1s or 2m, up to an hour".to_owned();
    let mut whole = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (count, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let count: u64 = count.parse().map_err(|_| wrong())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        whole = whole.saturating_add(Duration::from_millis(count.saturating_mul(millis)));
        rest = after;
    }
    match text.is_empty() || whole > MAX_RETRY_WAIT {
        true => Err(wrong()),
        false => Ok(whole),
    }
}

/// `4096`, `64k`, `10m`, `1g`.
fn size(text: &str) -> Result<u64, String> {
    roadstead_awslogs::size(text)
        .ok_or_else(|| format!("it is a number of bytes, or of k, m or g, up to {MAX_BUFFER} bytes"))
}
