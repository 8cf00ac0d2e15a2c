//! Names of functions in all the forms that the API takes: a name, a part of an ARN, or an ARN, each with or without a
//! version or alias; and the ARNs that are made of them.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

const MAX_NAME: usize = 64;

/// A function, and the version or alias of it that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub name: String,
    pub qualifier: Option<String>,
}

impl Named {
    /// What `FunctionName` and `Qualifier` name, in the caller's account and region.
    pub(crate) fn of(ctx: &Ctx, text: &str, qualifier: Option<&str>) -> Result<Self> {
        let named = parse(ctx, text)?;
        match (&named.qualifier, qualifier) {
            (Some(one), Some(other)) if one != other => Err(Error::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (None, Some(qualifier)) => Ok(Self {
                qualifier: Some(qualifier.to_owned()),
                ..named
            }),
            _ => Ok(named),
        }
    }

    /// For operations on a function as a whole.
    pub(crate) fn whole(ctx: &Ctx, text: &str) -> Result<String> {
        let named = parse(ctx, text)?;
        match named.qualifier {
            None => Ok(named.name),
            Some(qualifier) if qualifier == crate::records::LATEST => Ok(named.name),
            Some(qualifier) => Err(Error::invalid(format!(
                "The function name must not have a version or alias here: {qualifier}"
            ))),
        }
    }

    pub(crate) fn arn(&self, partition: &Partition) -> String {
        arn(partition, &self.name, self.qualifier.as_deref())
    }

    pub(crate) fn missing(&self, partition: &Partition) -> Error {
        Error::NotFound(format!("Function not found: {}", self.arn(partition)))
    }
}

pub(crate) fn arn(partition: &Partition, name: &str, qualifier: Option<&str>) -> String {
    let resource = match qualifier {
        Some(qualifier) => format!("function:{name}:{qualifier}"),
        None => format!("function:{name}"),
    };
    Arn::new("lambda", &partition.region, &partition.account, resource).to_string()
}

fn unreachable(ctx: &Ctx, region: &str) -> Error {
    Error::NotFound(format!(
        "Functions from '{region}' are not reachable in this region ('{}')",
        ctx.region
    ))
}

/// `[arn:aws:lambda:][region:][account:][function:]name[:qualifier]`; the model's pattern was checked.
fn parse(ctx: &Ctx, text: &str) -> Result<Named> {
    let account = |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts: Vec<&str> = text.split(':').collect();
    let elsewhere = || Error::Unsupported(format!("The function {text} of another account"));
    if parts.first() == Some(&"arn") {
        let arn: Arn = text
            .parse()
            .map_err(|_| Error::invalid(format!("{text} is not an ARN of a function")))?;
        if arn.service != "lambda" || arn.resource_of("function").is_none() {
            return Err(Error::invalid(format!("{text} is not an ARN of a function")));
        }
        if arn.region != ctx.region.as_str() {
            return Err(unreachable(ctx, &arn.region));
        }
        parts.drain(..4);
    } else if parts.len() > 2 && parts[0] == ctx.region.as_str() {
        parts.remove(0);
    } else if parts.len() > 2 && account(parts[1]) {
        return Err(unreachable(ctx, parts[0]));
    }
    if parts.len() > 1 && account(parts[0]) {
        if parts[0] != ctx.account.as_str() {
            return Err(elsewhere());
        }
        parts.remove(0);
    }
    if parts.len() > 1 && parts[0] == "function" {
        parts.remove(0);
    }
    let (name, qualifier) = match parts.as_slice() {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some((*qualifier).to_owned())),
        _ => return Err(Error::invalid(format!("{text} names no function"))),
    };
    if name.len() > MAX_NAME {
        return Err(Error::Constraint(format!(
            "Value '{name}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to {MAX_NAME}"
        )));
    }
    Ok(Named {
        name: name.to_owned(),
        qualifier,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::ctx;

    #[test]
    fn functions_are_named_in_many_forms() {
        let named = |name: &str, qualifier: Option<&str>| Named {
            name: name.into(),
            qualifier: qualifier.map(Into::into),
        };
        for (text, qualifier, expected) in [
            ("f", None, named("f", None)),
            ("f", Some("1"), named("f", Some("1"))),
            ("f:prod", None, named("f", Some("prod"))),
            ("f:$LATEST", Some("$LATEST"), named("f", Some("$LATEST"))),
            ("function:f", None, named("f", None)),
            ("000000000000:function:f", None, named("f", None)),
            ("000000000000:f:prod", None, named("f", Some("prod"))),
            ("us-east-1:000000000000:function:f:2", None, named("f", Some("2"))),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:f",
                None,
                named("f", None),
            ),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:f:prod",
                None,
                named("f", Some("prod")),
            ),
        ] {
            assert_eq!(
                Named::of(&ctx(), text, qualifier).expect(text),
                expected,
                "{text}"
            );
        }
        for (text, qualifier, words) in [
            ("f:1", Some("2"), "The derived qualifier"),
            ("123456789012:f", None, "of another account is not supported"),
            (
                "arn:aws:lambda:eu-west-1:000000000000:function:f",
                None,
                "are not reachable in this region",
            ),
            (
                "eu-west-1:000000000000:function:f",
                None,
                "Functions from 'eu-west-1' are not reachable in this region",
            ),
            (
                "arn:aws:sqs:us-east-1:000000000000:function:f",
                None,
                "is not an ARN of a function",
            ),
            (&"f".repeat(65), None, "length less than or equal to 64"),
        ] {
            let error = Named::of(&ctx(), text, qualifier).expect_err(text);
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
