//! The options of a container's `logConfiguration`.

use std::collections::BTreeMap;

use regex::Regex;

use crate::datetime;
use crate::fault::Fault;

/// What non-blocking mode keeps when the definition does not say. Source: LogConfiguration, `max-buffer-size`.
const DEFAULT_BUFFER: u64 = 10 << 20;
/// What a blocked container has printed and nobody has taken yet, at most.
const BLOCKING_BUFFER: u64 = 4 << 20;
/// It lies on the node's disk, so it has an end.
pub const MAX_BUFFER: u64 = 1 << 30;
/// Longest name of a log group or stream. Source: CreateLogGroup, CreateLogStream.
const MAX_NAME: usize = 512;

/// What happens to a container that prints faster than its lines can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It waits.
    Blocking,
    /// What it prints is dropped meanwhile.
    NonBlocking,
}

/// Finds the lines that begin an event.
#[derive(Clone, Debug)]
pub struct Start(pub Regex);

impl PartialEq for Start {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// The options of one container, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub group: String,
    pub region: String,
    pub stream_prefix: Option<String>,
    pub create_group: bool,
    /// A line that matches begins an event; those that do not go on with it.
    pub start: Option<Start>,
    pub mode: Mode,
    /// Bytes that may wait to be sent.
    pub buffer: u64,
}

impl Options {
    /// # Errors
    /// [`Fault`]: the first option that is missing, unknown, malformed or without effect here.
    pub fn read(options: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let missing: Vec<_> = ["awslogs-region", "awslogs-group"]
            .into_iter()
            .filter(|name| !options.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            return Err(Fault::Requires(missing.join(", ")));
        }
        let mut read = Self {
            group: String::new(),
            region: String::new(),
            stream_prefix: None,
            create_group: false,
            start: None,
            mode: Mode::NonBlocking,
            buffer: DEFAULT_BUFFER,
        };
        let (mut buffer, mut mode) = (None, None);
        for (name, value) in options {
            match name.as_str() {
                "awslogs-group" => read.group = group(value)?,
                "awslogs-region" => read.region = filled("awslogs-region", value)?,
                "awslogs-stream-prefix" => read.stream_prefix = Some(prefix(value)?),
                "awslogs-create-group" if value == "true" => read.create_group = true,
                "awslogs-create-group" => return Err(Fault::CreateGroup),
                "awslogs-datetime-format" => {
                    let value = filled("awslogs-datetime-format", value)?;
                    let start = datetime::pattern(&value).map_err(|why| Fault::Value {
                        option: "awslogs-datetime-format",
                        value,
                        why,
                    })?;
                    read.start = Some(Start(start));
                }
                "awslogs-multiline-pattern" => {
                    let value = filled("awslogs-multiline-pattern", value)?;
                    read.start = Some(Start(Regex::new(&value).map_err(|error| Fault::Value {
                        option: "awslogs-multiline-pattern",
                        value,
                        why: last_line(&error),
                    })?));
                }
                "mode" => mode = Some(self::mode(value)?),
                "max-buffer-size" => buffer = Some(buffer_size(value)?),
                "awslogs-format" => return Err(Fault::Unsupported("awslogs-format")),
                "awslogs-endpoint" => return Err(Fault::Unsupported("awslogs-endpoint")),
                other => return Err(Fault::Disallows(other.chars().take(64).collect())),
            }
        }
        if options.contains_key("awslogs-datetime-format")
            && options.contains_key("awslogs-multiline-pattern")
        {
            return Err(Fault::BothPatterns);
        }
        read.mode = mode.unwrap_or(read.mode);
        read.buffer = match (read.mode, buffer) {
            (Mode::Blocking, Some(_)) => return Err(Fault::BufferOfBlocking),
            (Mode::Blocking, None) => BLOCKING_BUFFER,
            (Mode::NonBlocking, asked) => asked.unwrap_or(DEFAULT_BUFFER),
        };
        Ok(read)
    }

    /// The stream of a container: `prefix/container/task`, or the container's own id where there is no prefix.
    pub fn stream(&self, container: &str, task_id: &str, container_id: &str) -> String {
        match &self.stream_prefix {
            Some(prefix) => format!("{prefix}/{container}/{task_id}"),
            None => container_id.to_owned(),
        }
    }
}

fn filled(option: &'static str, value: &str) -> Result<String, Fault> {
    match value {
        "" => Err(Fault::Empty(option)),
        value => Ok(value.to_owned()),
    }
}

/// A name that CreateLogGroup would take.
fn group(value: &str) -> Result<String, Fault> {
    let value = filled("awslogs-group", value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/#".contains(c);
    if value.len() > MAX_NAME || !value.chars().all(plain) {
        return Err(Fault::Value {
            option: "awslogs-group",
            value: value.chars().take(64).collect(),
            why: "a log group's name has at most 512 of letters, digits, '_', '-', '/', '.' and '#'"
                .to_owned(),
        });
    }
    Ok(value)
}

/// The beginning of a name that CreateLogStream would take.
fn prefix(value: &str) -> Result<String, Fault> {
    let value = filled("awslogs-stream-prefix", value)?;
    // The container's name and the task's id follow.
    if value.len() > MAX_NAME - 255 - 34 || value.contains([':', '*']) {
        return Err(Fault::Value {
            option: "awslogs-stream-prefix",
            value: value.chars().take(64).collect(),
            why: "a log stream's name has at most 512 characters, none of them ':' or '*'".to_owned(),
        });
    }
    Ok(value)
}

fn mode(value: &str) -> Result<Mode, Fault> {
    match value {
        "blocking" => Ok(Mode::Blocking),
        "non-blocking" => Ok(Mode::NonBlocking),
        other => Err(Fault::Value {
            option: "mode",
            value: other.chars().take(64).collect(),
            why: "it is blocking or non-blocking".to_owned(),
        }),
    }
}

/// `4096`, `64k`, `10m`, `1g`, with or without a `b` behind; none for anything else, and beyond [`MAX_BUFFER`].
pub fn size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, shift) = match number.chars().last() {
        Some('k') => (&number[..number.len() - 1], 10),
        Some('m') => (&number[..number.len() - 1], 20),
        Some('g') => (&number[..number.len() - 1], 30),
        _ => (number, 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| plain)
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (1..=MAX_BUFFER).contains(bytes))
}

fn buffer_size(text: &str) -> Result<u64, Fault> {
    size(text).ok_or_else(|| Fault::Value {
        option: "max-buffer-size",
        value: text.chars().take(64).collect(),
        why: "it is a number of bytes, or of k, m or g, up to 1g".to_owned(),
    })
}

/// What a regular expression's fault comes down to; before it, the error draws a picture.
pub(crate) fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}
