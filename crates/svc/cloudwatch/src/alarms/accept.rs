//! What the requests that make alarms share: names, actions and their ARNs.

use roadstead_base::{Arn, Ctx};

use crate::error::{Error, Result};

const MAX_ACTIONS: usize = 5;
/// Before a region and what is done to an instance; these have no account.
const INSTANCES: &str = "arn:aws:automate:";

/// The name of an alarm that is to be made.
pub(super) fn name(name: &str) -> Result<()> {
    match name.chars().position(char::is_control) {
        Some(at) => Err(Error::validation(format!(
            "Invalid AlarmName: control character at position {at}."
        ))),
        None => Ok(()),
    }
}

/// Who takes an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Topic,
    Function,
    /// Stops, terminates or reboots the instance of the metric.
    Instance,
    /// A scaling policy of Auto Scaling groups.
    Scaling,
    OpsItem,
}

/// The actions of a request in the order given, each once.
pub(super) fn actions(
    ctx: &Ctx,
    member: &str,
    given: Option<Vec<String>>,
    composite: bool,
) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for (number, arn) in (1..).zip(given.unwrap_or_default()) {
        let place = format!("{member}.member.{number}");
        let kind = kind(&place, &arn)?;
        if composite && matches!(kind, Kind::Instance | Kind::Scaling) {
            return Err(Error::validation(format!(
                "Invalid value for {place}: {arn} is no action of composite alarms."
            )));
        }
        elsewhere(ctx, &place, &arn)?;
        if !all.contains(&arn) {
            all.push(arn);
        }
    }
    if all.len() > MAX_ACTIONS {
        return Err(Error::validation(format!(
            "The collection {member} must not have a size greater than {MAX_ACTIONS}."
        )));
    }
    Ok(all)
}

fn elsewhere(ctx: &Ctx, place: &str, text: &str) -> Result<()> {
    let region = text.split(':').nth(3).unwrap_or_default();
    if region == ctx.region.as_str() {
        return Ok(());
    }
    Err(Error::validation(format!(
        "Invalid region {region} specified for {place}. Only {} is supported.",
        ctx.region
    )))
}

/// Who takes an action, by its ARN.
pub(crate) fn kind(place: &str, text: &str) -> Result<Kind> {
    let invalid = |why: &str| Error::validation(format!("Invalid arn syntax for {place}: {text} {why}."));
    if let Some((_, what)) = text.strip_prefix(INSTANCES).and_then(|rest| rest.split_once(':')) {
        return match what {
            "ec2:stop" | "ec2:terminate" | "ec2:reboot" => Ok(Kind::Instance),
            _ => Err(Error::unsupported(format!("{place} {text}"))),
        };
    }
    let arn: Arn = text.parse().map_err(|_| invalid("is no ARN"))?;
    let account = || arn.account.len() == 12 && arn.account.bytes().all(|byte| byte.is_ascii_digit());
    let owned = |kind| {
        if account() {
            Ok(kind)
        } else {
            Err(invalid("names no account"))
        }
    };
    match arn.service.as_str() {
        "sns" if !arn.resource.is_empty() && !arn.resource.contains(':') => owned(Kind::Topic),
        "sns" => Err(invalid("names no topic")),
        "lambda" if arn.resource_of("function").is_none() && !arn.resource.starts_with("function:") => {
            Err(invalid("names no function"))
        }
        "lambda" => owned(Kind::Function),
        "autoscaling" if arn.resource.contains(":autoScalingGroupName/") => owned(Kind::Scaling),
        "ssm" if opsitem(&arn.resource) => owned(Kind::OpsItem),
        "ssm" if arn.resource.starts_with("opsitem:") => Err(invalid("names no severity from 1 to 4")),
        // Documented, and of services that have no operation for it, or whose operations there are not yet.
        "autoscaling" | "swf" | "ssm-incidents" | "aiops" => {
            Err(Error::unsupported(format!("{place} {text}")))
        }
        _ => Err(invalid("is no action of an alarm")),
    }
}

fn opsitem(resource: &str) -> bool {
    let severity = resource.strip_prefix("opsitem:");
    let severity = severity.and_then(|rest| rest.split('#').next());
    severity.is_some_and(|severity| matches!(severity, "1" | "2" | "3" | "4"))
}
