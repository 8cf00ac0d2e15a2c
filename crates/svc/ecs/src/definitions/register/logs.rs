//! Where output goes: to the node's own rotating files, which is what `json-file` means here, to CloudWatch Logs by
//! `awslogs`, or to a receiver of the user's by `syslog`, `fluentd` or `gelf`. Other drivers are refused by name.

use std::collections::BTreeMap;

use roadstead_api_ecs::{LogConfiguration, LogDriver};
use roadstead_awslogs as awslogs;
use roadstead_log_drivers as drivers;

use super::around::Around;
use super::container::invalid_because;
use crate::error::{Error, Result, refuse};

/// Files of one container.
const FILES: std::ops::RangeInclusive<u32> = 1..=100;

const NOT_ON_FARGATE: &str = "Fargate only supports the log drivers awslogs, splunk and awsfirelens.";

pub(super) fn check(
    name: &str,
    at: &str,
    logs: Option<LogConfiguration>,
    around: &mut Around,
) -> Result<Option<LogConfiguration>> {
    let Some(LogConfiguration {
        log_driver,
        options,
        secret_options,
    }) = logs
    else {
        return Ok(None);
    };
    let member = |member: &str| format!("{at}.logConfiguration.{member}");
    match log_driver {
        LogDriver::JsonFile => {
            around.fargate.obstacle(NOT_ON_FARGATE)?;
        }
        LogDriver::Awslogs => {
            check_awslogs(&member("options"), options.as_ref(), around)?;
        }
        LogDriver::Syslog | LogDriver::Fluentd | LogDriver::Gelf => {
            around.fargate.obstacle(NOT_ON_FARGATE)?;
            check_receiver(log_driver, &member("options"), options.as_ref())?;
        }
        LogDriver::Journald | LogDriver::Splunk | LogDriver::Awsfirelens => {
            return Err(Error::unsupported(member(&format!("logDriver = {log_driver}"))));
        }
    }
    refuse(&member("secretOptions"), secret_options)?;
    if log_driver == LogDriver::JsonFile {
        check_options(name, &member("options"), options.as_ref())?;
    }
    Ok(Some(LogConfiguration {
        log_driver,
        options,
        secret_options: None,
    }))
}

/// The same reading as the agent's, so that what is registered here can be run there.
fn check_awslogs(at: &str, options: Option<&BTreeMap<String, String>>, around: &mut Around) -> Result<()> {
    let options = options.cloned().unwrap_or_default();
    let read = awslogs::Options::read(&options).map_err(|fault| match fault {
        awslogs::Fault::Unsupported(option) => Error::unsupported(format!("{at}.{option}")),
        fault => Error::client(fault.to_string()),
    })?;
    if !around.has_execution_role {
        around.fargate.obstacle(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        )?;
    }
    if read.stream_prefix.is_none() {
        let missing = awslogs::Fault::Requires("awslogs-stream-prefix".to_owned());
        around.fargate.obstacle(missing.to_string())?;
    }
    Ok(())
}

/// As for `awslogs`, the same reading as the agent's.
fn check_receiver(driver: LogDriver, at: &str, options: Option<&BTreeMap<String, String>>) -> Result<()> {
    let options = options.cloned().unwrap_or_default();
    let read = drivers::Driver::read(driver.as_str(), &options);
    read.map(drop).map_err(|fault| match fault {
        drivers::Fault::Unsupported { option, .. } => Error::unsupported(format!("{at}.{option}")),
        fault => Error::client(fault.to_string()),
    })
}

fn check_options(name: &str, at: &str, options: Option<&BTreeMap<String, String>>) -> Result<()> {
    for (option, value) in options.into_iter().flatten() {
        let (valid, why) = match option.as_str() {
            "max-size" => (
                is_size(value),
                "max-size must be a number of k, m or g, such as 10m.",
            ),
            "max-file" => (
                value.parse().is_ok_and(|count| FILES.contains(&count)),
                "max-file must be 1 to 100.",
            ),
            other => {
                let shown: String = other.chars().take(64).collect();
                return Err(Error::unsupported(format!("{at}.{shown}")));
            }
        };
        if !valid {
            return Err(invalid_because("logConfiguration", name, why));
        }
    }
    Ok(())
}

/// At least 64 KiB, so that a line fits; at most 1 TiB.
fn is_size(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let (number, shift) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => return false,
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let bytes = number
        .parse::<u64>()
        .ok()
        .filter(|_| digits)
        .and_then(|number| number.checked_mul(1 << shift));
    bytes.is_some_and(|bytes| (64 << 10..=1 << 40).contains(&bytes))
}
