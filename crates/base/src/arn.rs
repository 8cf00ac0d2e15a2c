//! Amazon Resource Names. Parsed once at the edge, so that no handler cuts strings at colons by itself.

use std::fmt;
use std::str::FromStr;

use crate::identity::{AccountId, Region};

/// `arn:partition:service:region:account:resource`. Region and account may be empty, as in IAM or S3.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    pub partition: String,
    pub service: String,
    pub region: String,
    pub account: String,
    /// Everything after the fifth colon, further colons and slashes included.
    pub resource: String,
}

/// The text is not an ARN: it names what is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an ARN: {reason}")]
pub struct ParseArnError {
    pub text: String,
    pub reason: &'static str,
}

impl Arn {
    /// An ARN in the standard partition.
    pub fn new(service: &str, region: &Region, account: &AccountId, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".to_owned(),
            service: service.to_owned(),
            region: region.to_string(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// The resource without its `kind/` (or `kind:`) prefix, if it is of that kind.
    pub fn resource_of(&self, kind: &str) -> Option<&str> {
        self.resource.strip_prefix(kind)?.strip_prefix(['/', ':'])
    }
}

impl FromStr for Arn {
    type Err = ParseArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason| ParseArnError {
            text: text.chars().take(256).collect(),
            reason,
        };
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return Err(fail("it does not begin with \"arn:\""));
        }
        let mut next = |reason| parts.next().map(str::to_owned).ok_or_else(|| fail(reason));
        let arn = Self {
            partition: next("it has no partition")?,
            service: next("it has no service")?,
            region: next("it has no region")?,
            account: next("it has no account")?,
            resource: next("it has no resource")?,
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(fail("partition, service and resource must not be empty"));
        }
        // What everybody has, such as managed policies, is the account's named `aws`.
        let known = matches!(arn.account.as_str(), "" | "aws");
        if !known && arn.account.parse::<AccountId>().is_err() {
            return Err(fail("the account is not 12 digits"));
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_what_it_parsed() {
        for text in [
            "arn:aws:ecs:us-east-1:000000000000:cluster/default",
            "arn:aws:ecs:us-east-1:000000000000:task-definition/web:3",
            "arn:aws:iam::123456789012:role/path/name",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:logs:us-east-1:123456789012:log-group:/a:*",
        ] {
            assert_eq!(text.parse::<Arn>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_an_arn() {
        for text in [
            "",
            "arn",
            "arn:aws",
            "arn:aws:ecs:us-east-1:12:cluster/x",
            "urn:aws:ecs:r:000000000000:x",
            "arn:aws:ecs:::",
        ] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn resource_of_wants_the_whole_kind() {
        let arn: Arn = "arn:aws:ecs:r:000000000000:task-definition/web:3"
            .parse()
            .expect("an ARN");
        assert_eq!(arn.resource_of("task-definition"), Some("web:3"));
        assert_eq!(arn.resource_of("task"), None);
    }
}
