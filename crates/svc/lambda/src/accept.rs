//! Settings of functions, from the members of a request to what is kept; what has no effect here is refused by name.

use std::collections::BTreeMap;

use roadstead_api_lambda::{
    Architecture, DeadLetterConfig, Environment, EphemeralStorage, FileSystemConfig, LogFormat,
    LoggingConfig, SnapStart, SnapStartApplyOn, TracingConfig, TracingMode, VpcConfig,
};
use roadstead_base::{Arn, Ctx};
use serde_json::json;

use crate::error::{Error, Result, refuse};

pub(crate) const MAX_TIMEOUT: i32 = 900;
const MAX_MEMORY: i32 = 10_240;
/// Bytes of names and values, as JSON.
const MAX_ENVIRONMENT: usize = 4096;
const MAX_TAGS: usize = 50;

/// Set by the runtime. Source: "Defined runtime environment variables" in the developer guide.
const RESERVED: [&str; 19] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

fn at_most(member: &str, value: i32, most: i32) -> Result<u32> {
    match u32::try_from(value) {
        Ok(fits) if value <= most => Ok(fits),
        _ => Err(Error::Constraint(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: Member must have value less than or equal to {most}"
        ))),
    }
}

pub(crate) fn timeout(seconds: i32) -> Result<u32> {
    at_most("timeout", seconds, MAX_TIMEOUT)
}

pub(crate) fn memory(megabytes: i32) -> Result<u32> {
    at_most("memorySize", megabytes, MAX_MEMORY)
}

pub(crate) fn tmp(storage: EphemeralStorage) -> Result<u32> {
    let EphemeralStorage { size } = storage;
    at_most("ephemeralStorage.size", size, MAX_MEMORY)
}

pub(crate) fn environment(environment: Environment) -> Result<Option<BTreeMap<String, String>>> {
    let Environment { variables } = environment;
    let Some(variables) = variables else {
        return Ok(None);
    };
    const CANNOT: &str = "Lambda was unable to configure your environment variables because the environment variables you have provided";
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(Error::invalid(format!(
            "{CANNOT} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = json!(variables).to_string();
    if measured.len() > MAX_ENVIRONMENT {
        return Err(Error::invalid(format!(
            "{CANNOT} exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(Some(variables))
}

/// Whether it is one of 64-bit ARM; only the machine's own can be had.
pub(crate) fn architecture(wanted: Option<Vec<Architecture>>) -> Result<bool> {
    let arm64 = cfg!(target_arch = "aarch64");
    let own = if arm64 {
        Architecture::Arm64
    } else {
        Architecture::X8664
    };
    match wanted.as_deref() {
        None | Some([]) => Ok(arm64),
        Some(all) if all.iter().all(|one| *one == own) => Ok(arm64),
        Some([one, ..]) => Err(Error::Unsupported(format!(
            "Architectures {} on a machine of {}",
            one.as_str(),
            own.as_str()
        ))),
    }
}

/// The group, where it is not the function's own.
pub(crate) fn logging(config: LoggingConfig) -> Result<Option<String>> {
    let LoggingConfig {
        application_log_level,
        log_format,
        log_group,
        system_log_level,
    } = config;
    refuse(
        "LoggingConfig.ApplicationLogLevel",
        application_log_level.as_ref(),
    )?;
    refuse("LoggingConfig.SystemLogLevel", system_log_level.as_ref())?;
    match log_format {
        None | Some(LogFormat::Text) => Ok(log_group),
        Some(LogFormat::Json) => Err(Error::Unsupported("LoggingConfig.LogFormat JSON".into())),
    }
}

/// A standard queue or a topic of the same account and region; an empty text takes it away.
pub(crate) fn dead_letters(ctx: &Ctx, config: DeadLetterConfig) -> Result<Option<String>> {
    let DeadLetterConfig { target_arn } = config;
    let Some(text) = target_arn.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let arn: Arn = text
        .parse()
        .map_err(|_| Error::invalid(format!("The dead letter target {text} is not an ARN.")))?;
    if !matches!(arn.service.as_str(), "sqs" | "sns") {
        return Err(Error::invalid(format!(
            "The dead letter target {text} is neither a queue nor a topic."
        )));
    }
    owned(ctx, "DeadLetterConfig.TargetArn", &arn)?;
    if arn.resource.ends_with(".fifo") {
        return Err(Error::Unsupported(format!(
            "DeadLetterConfig.TargetArn {text}, which is FIFO,"
        )));
    }
    Ok(Some(text))
}

/// Where records of invocations go to: a standard queue or topic, another function or a bus, of the same account and
/// region. An empty text takes it away.
pub(crate) fn destination(ctx: &Ctx, member: &str, function: &str, text: String) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let member = format!("DestinationConfig.{member}.Destination");
    let wrong = || Error::invalid(format!("The destination ARN {text} is invalid."));
    if text.starts_with("kafka:") {
        return Err(Error::Unsupported(format!("{member} {text}")));
    }
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    match arn.service.as_str() {
        "s3" => return Err(Error::Unsupported(format!("{member} {text}"))),
        "sqs" | "sns" if arn.resource.ends_with(".fifo") => {
            return Err(Error::invalid(format!(
                "The destination ARN {text} is invalid: neither FIFO queues nor FIFO topics can be destinations."
            )));
        }
        "sqs" | "sns" => {}
        "events" if arn.resource_of("event-bus").is_some() => {}
        "lambda" if arn.resource_of("function").is_some() => {
            owned(ctx, &member, &arn)?;
            let other = crate::names::Named::of(ctx, &text, None)?;
            if other.name == function {
                return Err(Error::invalid(
                    "You can't specify the function as a destination for itself.",
                ));
            }
        }
        _ => return Err(wrong()),
    }
    owned(ctx, &member, &arn)?;
    Ok(Some(text))
}

/// Refuses what lies in another account or region.
pub(crate) fn owned(ctx: &Ctx, member: &str, arn: &Arn) -> Result<()> {
    match arn.account == ctx.account.as_str() && arn.region == ctx.region.as_str() {
        true => Ok(()),
        false => Err(Error::Unsupported(format!(
            "{member} {arn} of another account or region"
        ))),
    }
}

/// What is the default, or nothing, is fine; anything else would have no effect.
pub(crate) fn nothing_else(
    vpc: Option<VpcConfig>,
    tracing: Option<TracingConfig>,
    snap_start: Option<SnapStart>,
    file_systems: Option<Vec<FileSystemConfig>>,
    kms_key: Option<String>,
) -> Result<()> {
    if let Some(VpcConfig {
        ipv6_allowed_for_dual_stack,
        security_group_ids,
        subnet_ids,
    }) = vpc
    {
        refuse(
            "VpcConfig.SubnetIds",
            subnet_ids.filter(|ids| !ids.is_empty()).as_ref(),
        )?;
        refuse(
            "VpcConfig.SecurityGroupIds",
            security_group_ids.filter(|ids| !ids.is_empty()).as_ref(),
        )?;
        refuse(
            "VpcConfig.Ipv6AllowedForDualStack",
            ipv6_allowed_for_dual_stack.filter(|allowed| *allowed).as_ref(),
        )?;
    }
    if let Some(TracingConfig {
        mode: Some(TracingMode::Active),
    }) = tracing
    {
        return Err(Error::Unsupported("TracingConfig.Mode Active".into()));
    }
    if let Some(SnapStart {
        apply_on: Some(SnapStartApplyOn::PublishedVersions),
    }) = snap_start
    {
        return Err(Error::Unsupported("SnapStart.ApplyOn PublishedVersions".into()));
    }
    refuse(
        "FileSystemConfigs",
        file_systems.filter(|all| !all.is_empty()).as_ref(),
    )?;
    refuse("KMSKeyArn", kms_key.filter(|key| !key.is_empty()).as_ref())
}

/// Tags over those that were there.
pub(crate) fn tags(
    given: BTreeMap<String, String>,
    mut all: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    for (key, value) in given {
        let long = key.chars().count() > 128 || value.chars().count() > 256;
        if key.is_empty() || long || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::invalid(format!(
                "The tag {key} is not valid: keys have 1 to 128 characters and do not begin with aws:, values have up to 256."
            )));
        }
        all.insert(key, value);
    }
    match all.len() > MAX_TAGS {
        true => Err(Error::invalid("Number of tags exceeds resource tag limit.")),
        false => Ok(all),
    }
}
