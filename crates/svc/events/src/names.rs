//! Names of buses and rules, and their ARNs. A bus is named or given by its ARN; a rule on the default bus has no bus
//! in its ARN.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

pub(crate) const DEFAULT_BUS: &str = "default";

/// The name of a bus of the caller's own account and region, from a name or an ARN.
pub(crate) fn bus(ctx: &Ctx, given: Option<&str>) -> Result<String> {
    let Some(given) = given else {
        return Ok(DEFAULT_BUS.to_owned());
    };
    if !given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    let invalid = || {
        Error::invalid(format!(
            "Parameter EventBusName is not valid. Reason: {given} is no event bus."
        ))
    };
    let arn: Arn = given.parse().map_err(|_| invalid())?;
    let name = arn
        .resource_of("event-bus")
        .filter(|_| arn.service == "events")
        .ok_or_else(invalid)?;
    if arn.account != ctx.account.as_str() || arn.region != ctx.region.as_str() {
        return Err(Error::unsupported(format!(
            "EventBusName {given} of another account or region"
        )));
    }
    Ok(name.to_owned())
}

/// Where an event goes: a bus of the caller's, or one of another account in the caller's region, by its ARN.
pub(crate) fn bus_anywhere(ctx: &Ctx, given: Option<&str>) -> Result<(Partition, String)> {
    let own = ctx.partition();
    let arn: Option<Arn> = given.and_then(|given| given.parse().ok());
    let account = arn.as_ref().and_then(|arn| {
        let foreign = arn.service == "events"
            && arn.region == own.region.as_str()
            && arn.account != own.account.as_str();
        arn.account.parse().ok().filter(|_| foreign)
    });
    match (account, arn.as_ref().and_then(|arn| arn.resource_of("event-bus"))) {
        (Some(account), Some(bus)) => Ok((Partition { account, ..own }, bus.to_owned())),
        _ => Ok((own, bus(ctx, given)?)),
    }
}

pub(crate) fn bus_arn(partition: &Partition, bus: &str) -> String {
    Arn::new(
        "events",
        &partition.region,
        &partition.account,
        format!("event-bus/{bus}"),
    )
    .to_string()
}

pub(crate) fn rule_arn(partition: &Partition, bus: &str, rule: &str) -> String {
    let resource = match bus {
        DEFAULT_BUS => format!("rule/{rule}"),
        _ => format!("rule/{bus}/{rule}"),
    };
    Arn::new("events", &partition.region, &partition.account, resource).to_string()
}

/// What an ARN of the caller's own account and region names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Bus(String),
    Rule { bus: String, rule: String },
}

pub(crate) fn resource(ctx: &Ctx, given: &str) -> Result<Named> {
    let unknown = || Error::NotFound(format!("Resource {given} does not exist."));
    let arn: Arn = given.parse().map_err(|_| {
        Error::invalid(format!(
            "Parameter ResourceARN is not valid. Reason: {given} is no ARN."
        ))
    })?;
    if arn.service != "events" || arn.account != ctx.account.as_str() || arn.region != ctx.region.as_str() {
        return Err(unknown());
    }
    if let Some(bus) = arn.resource_of("event-bus") {
        return Ok(Named::Bus(bus.to_owned()));
    }
    let rule = arn.resource_of("rule").ok_or_else(unknown)?;
    // A bus may have slashes in its name, a rule may not.
    let (bus, rule) = rule.rsplit_once('/').unwrap_or((DEFAULT_BUS, rule));
    Ok(Named::Rule {
        bus: bus.to_owned(),
        rule: rule.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::ctx;

    #[test]
    fn buses_go_by_name_or_arn() {
        let ctx = ctx();
        for (given, name) in [
            (None, "default"),
            (Some("orders"), "orders"),
            (
                Some("arn:aws:events:us-east-1:000000000000:event-bus/orders"),
                "orders",
            ),
        ] {
            assert_eq!(bus(&ctx, given).expect(name), name);
        }
        for given in [
            "arn:aws:events:us-east-1:000000000000:rule/x",
            "arn:aws:events:us-east-1:111111111111:event-bus/orders",
            "arn:aws:events:eu-west-1:000000000000:event-bus/orders",
            "arn:aws:sqs:us-east-1:000000000000:event-bus/orders",
            "arn:x",
        ] {
            assert!(bus(&ctx, Some(given)).is_err(), "{given}");
        }
    }

    #[test]
    fn what_an_arn_names_is_told() {
        let ctx = ctx();
        let partition = ctx.partition();
        for (arn, named) in [
            (bus_arn(&partition, "a/b"), Named::Bus("a/b".into())),
            (
                rule_arn(&partition, DEFAULT_BUS, "r"),
                Named::Rule {
                    bus: DEFAULT_BUS.into(),
                    rule: "r".into(),
                },
            ),
            (
                rule_arn(&partition, "a/b", "r"),
                Named::Rule {
                    bus: "a/b".into(),
                    rule: "r".into(),
                },
            ),
        ] {
            assert_eq!(resource(&ctx, &arn).expect(&arn), named);
        }
        assert!(resource(&ctx, "r").is_err());
        assert!(resource(&ctx, "arn:aws:events:us-east-1:000000000000:archive/x").is_err());
    }
}
