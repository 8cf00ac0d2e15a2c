//! The options of a container's `logConfiguration`.

use std::collections::BTreeMap;

use regex::Regex;

use crate::datetime;
use crate::delivery::Delivery;
use crate::fault::Fault;

/// Longest name of a log group or stream. Source: CreateLogGroup, CreateLogStream.
const MAX_NAME: usize = 512;

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
    pub delivery: Delivery,
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
        let (mut buffer, mut mode) = (None, None);
        let mut read = Self {
            group: String::new(),
            region: String::new(),
            stream_prefix: None,
            create_group: false,
            start: None,
            delivery: Delivery::read(None, None).map_err(Fault::from)?,
        };
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
                "mode" => mode = Some(value.as_str()),
                "max-buffer-size" => buffer = Some(value.as_str()),
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
        read.delivery = Delivery::read(mode, buffer).map_err(Fault::from)?;
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

/// What a regular expression's fault comes down to; before it, the error draws a picture.
pub fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}
