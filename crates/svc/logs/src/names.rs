//! Names of groups, and their ARNs.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

/// `arn:aws:logs:region:account:log-group:name`
pub(crate) fn group_arn(partition: &Partition, group: &str) -> String {
    let resource = format!("log-group:{group}");
    Arn::new("logs", &partition.region, &partition.account, resource).to_string()
}

pub(crate) fn stream_arn(partition: &Partition, group: &str, stream: &str) -> String {
    format!("{}:log-stream:{stream}", group_arn(partition, group))
}

/// The group that a request names in one of two ways.
pub(crate) fn group(ctx: &Ctx, name: Option<String>, identifier: Option<String>) -> Result<String> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => from_identifier(ctx, &identifier),
        (None, None) => Err(Error::invalid(
            "Either logGroupName or logGroupIdentifier is required.",
        )),
        (Some(_), Some(_)) => Err(Error::invalid(
            "logGroupName and logGroupIdentifier cannot both be given.",
        )),
    }
}

/// A name, or an ARN of the caller's own account and region.
pub(crate) fn from_identifier(ctx: &Ctx, identifier: &str) -> Result<String> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier.to_owned());
    }
    let invalid = || Error::invalid(format!("{identifier} is not the ARN of a log group."));
    let arn: Arn = identifier.parse().map_err(|_| invalid())?;
    let name = arn
        .resource_of("log-group")
        .filter(|_| arn.service == "logs")
        .ok_or_else(invalid)?;
    if arn.account != ctx.account.as_str() || arn.region != ctx.region.as_str() {
        return Err(Error::NoSuchGroup);
    }
    Ok(name.strip_suffix(":*").unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::ctx;

    #[test]
    fn groups_go_by_name_or_arn() {
        let ctx = ctx();
        let arn = group_arn(&ctx.partition(), "/a/b");
        for (name, identifier) in [
            (Some("/a/b"), None),
            (None, Some("/a/b")),
            (None, Some(arn.as_str())),
            (None, Some(&format!("{arn}:*"))),
        ] {
            let found = group(&ctx, name.map(Into::into), identifier.map(Into::into));
            assert_eq!(found.expect("a group"), "/a/b");
        }
        let elsewhere = arn.replace("us-east-1", "eu-west-1");
        for (name, identifier) in [
            (None, None),
            (Some("a"), Some("a")),
            (None, Some("arn:aws:s3:::x")),
            (None, Some(elsewhere.as_str())),
        ] {
            assert!(group(&ctx, name.map(Into::into), identifier.map(Into::into)).is_err());
        }
    }
}
