//! Names, and ARNs: `…:stateMachine:name`, followed by `:3` for a version or `:PROD` for an alias,
//! `…:execution:machine:name`, and `…:activity:name`.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

const MAX_NAME: usize = 80;

/// As the API reference has it: no white space, brackets, wildcards, special or control characters.
pub(crate) fn is_name(name: &str) -> bool {
    let forbidden =
        |one: char| one.is_whitespace() || one.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(one);
    (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains(forbidden)
}

pub(crate) fn machine_arn(partition: &Partition, name: &str) -> String {
    Arn::new(
        "states",
        &partition.region,
        &partition.account,
        format!("stateMachine:{name}"),
    )
    .to_string()
}

pub(crate) fn execution_arn(partition: &Partition, machine: &str, name: &str) -> String {
    let resource = format!("execution:{machine}:{name}");
    Arn::new("states", &partition.region, &partition.account, resource).to_string()
}

/// Of an Express execution: a name can be there more than once, so each has an id besides.
pub(crate) fn express_arn(partition: &Partition, machine: &str, name: &str, id: &str) -> String {
    let resource = format!("express:{machine}:{name}:{id}");
    Arn::new("states", &partition.region, &partition.account, resource).to_string()
}

pub(crate) fn activity_arn(partition: &Partition, name: &str) -> String {
    let resource = format!("activity:{name}");
    Arn::new("states", &partition.region, &partition.account, resource).to_string()
}

/// The name of an activity, by an ARN of this account and region.
pub(crate) fn own_activity(partition: &Partition, text: &str) -> Option<String> {
    let arn: Arn = text.parse().ok()?;
    let name = arn.resource.strip_prefix("activity:")?;
    let own = arn.account == partition.account.as_str() && arn.region == partition.region.as_str();
    (arn.service == "states" && own && is_name(name)).then(|| name.to_owned())
}

/// The name of an activity of the caller's.
pub(crate) fn activity(ctx: &Ctx, text: &str) -> Result<String> {
    let name = below(ctx, text, "activity")?;
    match is_name(&name) {
        true => Ok(name),
        false => Err(Error::InvalidArn(text.to_owned())),
    }
}

/// The ARN of a Map Run of the caller's: `…:mapRun:machine/label:id`.
pub(crate) fn map_run(ctx: &Ctx, text: &str) -> Result<()> {
    let rest = below(ctx, text, "mapRun")?;
    let named = rest
        .split_once(':')
        .is_some_and(|(of, id)| of.contains('/') && !id.is_empty());
    named
        .then_some(())
        .ok_or_else(|| Error::InvalidArn(text.to_owned()))
}

/// What has tags, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tagged {
    Machine(String),
    Activity(String),
}

pub(crate) fn tagged(ctx: &Ctx, text: &str) -> Result<Tagged> {
    match own_activity(&ctx.partition(), text) {
        Some(activity) => Ok(Tagged::Activity(activity)),
        None => machine(ctx, text).map(Tagged::Machine),
    }
}

/// What an ARN of the caller's own account and region says after the kind.
fn below(ctx: &Ctx, text: &str, kind: &str) -> Result<String> {
    let wrong = || Error::InvalidArn(text.to_owned());
    if !text.starts_with("arn:") {
        return Err(Error::NoArn(text.to_owned()));
    }
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    if arn.service != "states" {
        return Err(wrong());
    }
    let (given, rest) = arn.resource.split_once(':').unwrap_or((&arn.resource, ""));
    if given != kind {
        return Err(Error::WrongResource(given.to_owned()));
    }
    let own = arn.account == ctx.account.as_str() && arn.region == ctx.region.as_str();
    match own && !rest.is_empty() {
        true => Ok(rest.to_owned()),
        false => Err(wrong()),
    }
}

/// What an ARN names of a state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier {
    /// The machine as it is now.
    None,
    Version(u64),
    Alias(String),
}

/// What a name after that of the machine means: a number is a version.
fn qualifier(text: &str) -> Option<Qualifier> {
    if text.bytes().all(|one| one.is_ascii_digit()) {
        return text.parse().ok().map(Qualifier::Version);
    }
    is_name(text).then(|| Qualifier::Alias(text.to_owned()))
}

/// The name of a state machine, and which version or alias of it an ARN means.
pub(crate) fn qualified(ctx: &Ctx, text: &str) -> Result<(String, Qualifier)> {
    let rest = below(ctx, text, "stateMachine")?;
    if rest.contains('/') {
        return Err(Error::Validation(format!(
            "The ARN '{text}' names a Distributed Map state, which this operation does not take"
        )));
    }
    match rest.split_once(':') {
        None => Ok((rest, Qualifier::None)),
        Some((machine, of)) => match qualifier(of) {
            Some(qualifier) if !machine.is_empty() => Ok((machine.to_owned(), qualifier)),
            _ => Err(Error::InvalidArn(text.to_owned())),
        },
    }
}

/// The name of a state machine, of which the ARN may name neither version nor alias.
pub(crate) fn machine(ctx: &Ctx, text: &str) -> Result<String> {
    match qualified(ctx, text)? {
        (machine, Qualifier::None) => Ok(machine),
        _ => Err(Error::Validation(format!(
            "The ARN '{text}' must name a state machine without a version or an alias"
        ))),
    }
}

/// The ARN of a version.
pub(crate) fn version_arn(partition: &Partition, machine: &str, version: u64) -> String {
    format!("{}:{version}", machine_arn(partition, machine))
}

/// The ARN of an alias.
pub(crate) fn alias_arn(partition: &Partition, machine: &str, alias: &str) -> String {
    format!("{}:{alias}", machine_arn(partition, machine))
}

/// The state machine and the name of an execution.
pub(crate) fn execution(ctx: &Ctx, text: &str) -> Result<(String, String)> {
    let rest = below(ctx, text, "execution")?;
    match rest.split_once(':') {
        Some((machine, name)) if !name.contains(':') => Ok((machine.to_owned(), name.to_owned())),
        _ => Err(Error::InvalidArn(text.to_owned())),
    }
}
