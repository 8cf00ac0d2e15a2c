//! Names, and ARNs: `…:stateMachine:name` and `…:execution:machine:name`.

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

/// What an ARN of the caller's own account and region says after the kind.
fn below(ctx: &Ctx, text: &str, kind: &str) -> Result<String> {
    let wrong = || Error::InvalidArn(text.to_owned());
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    if arn.service == "states" && arn.resource.starts_with("express:") {
        return Err(Error::WrongResource("express".to_owned()));
    }
    let own = arn.account == ctx.account.as_str() && arn.region == ctx.region.as_str();
    match arn
        .resource
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix(':'))
    {
        Some(rest) if arn.service == "states" && own && !rest.is_empty() => Ok(rest.to_owned()),
        _ => Err(wrong()),
    }
}

/// The name of a state machine. Versions and aliases, which an ARN can name after it, are not there yet.
pub(crate) fn machine(ctx: &Ctx, text: &str) -> Result<String> {
    let name = below(ctx, text, "stateMachine")?;
    match name.contains(':') {
        true => Err(Error::Unsupported(format!(
            "The version or alias that {text} names"
        ))),
        false => Ok(name),
    }
}

/// The state machine and the name of an execution.
pub(crate) fn execution(ctx: &Ctx, text: &str) -> Result<(String, String)> {
    let rest = below(ctx, text, "execution")?;
    match rest.split_once(':') {
        Some((machine, name)) if !name.contains(':') => Ok((machine.to_owned(), name.to_owned())),
        _ => Err(Error::InvalidArn(text.to_owned())),
    }
}
