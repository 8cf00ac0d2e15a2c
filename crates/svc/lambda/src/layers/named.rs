//! Names of layers, and the ARNs that are made of them.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

/// Characters of a version's ARN, by the model.
const MAX_ARN: usize = 140;

/// A layer of some account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub partition: Partition,
    pub name: String,
}

impl Layer {
    /// By its name, or its ARN; the model's pattern was checked.
    pub(crate) fn of(ctx: &Ctx, text: &str) -> Result<Self> {
        if text.starts_with("arn:") {
            let (layer, version) = parse(ctx, text)?;
            return match version {
                None => Ok(layer),
                Some(_) => Err(Error::invalid(format!(
                    "{text} is a version of a layer, not a layer"
                ))),
            };
        }
        let layer = Self {
            partition: ctx.partition(),
            name: text.to_owned(),
        };
        match layer.version_arn(u64::from(u32::MAX)).len() > MAX_ARN {
            true => Err(Error::invalid(format!(
                "The layer name {text} is too long: the ARN of a version can have {MAX_ARN} characters."
            ))),
            false => Ok(layer),
        }
    }

    /// One that the caller's account has.
    pub(crate) fn own(ctx: &Ctx, text: &str, operation: &str, number: Option<u64>) -> Result<Self> {
        let layer = Self::of(ctx, text)?;
        match layer.partition.account == ctx.account {
            true => Ok(layer),
            false => Err(layer.denied(ctx, operation, number)),
        }
    }

    /// A version, by its ARN.
    pub(crate) fn version_of(ctx: &Ctx, arn: &str) -> Result<(Self, u64)> {
        match parse(ctx, arn)? {
            (layer, Some(number)) => Ok((layer, number)),
            (_, None) => Err(Error::invalid(format!("{arn} is not an ARN of a layer version"))),
        }
    }

    pub(crate) fn arn(&self) -> String {
        let Partition { account, region } = &self.partition;
        Arn::new("lambda", region, account, format!("layer:{}", self.name)).to_string()
    }

    pub(crate) fn version_arn(&self, number: u64) -> String {
        format!("{}:{number}", self.arn())
    }

    pub(crate) fn denied(&self, ctx: &Ctx, operation: &str, number: Option<u64>) -> Error {
        Error::Denied(format!(
            "User: {} is not authorized to perform: lambda:{operation} on resource: {} because no resource-based policy allows the lambda:{operation} action",
            ctx.caller.arn(&ctx.account),
            number.map_or_else(|| self.arn(), |number| self.version_arn(number)),
        ))
    }
}

fn parse(ctx: &Ctx, text: &str) -> Result<(Layer, Option<u64>)> {
    let wrong = || Error::invalid(format!("{text} is not an ARN of a layer"));
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    let rest = arn.resource_of("layer").filter(|_| arn.service == "lambda");
    let rest = rest.ok_or_else(wrong)?;
    let (name, number) = match rest.split_once(':') {
        None => (rest, None),
        Some((name, number)) => (name, Some(number.parse().map_err(|_| wrong())?)),
    };
    if arn.region != ctx.region.as_str() {
        return Err(Error::invalid(format!(
            "Layers are not in the same region as the function. Layers are expected to be in region {}.",
            ctx.region
        )));
    }
    let layer = Layer {
        partition: Partition {
            account: arn.account.parse().map_err(|_| wrong())?,
            region: ctx.region.clone(),
        },
        name: name.to_owned(),
    };
    Ok((layer, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::ctx;

    #[test]
    fn layers_are_named_by_name_and_by_arn() {
        for text in ["l", "arn:aws:lambda:us-east-1:000000000000:layer:l"] {
            let layer = Layer::of(&ctx(), text).expect(text);
            assert_eq!(layer.arn(), "arn:aws:lambda:us-east-1:000000000000:layer:l");
        }
        let (layer, number) =
            Layer::version_of(&ctx(), "arn:aws:lambda:us-east-1:111111111111:layer:l:12").expect("a version");
        assert_eq!(
            (layer.partition.account.as_str(), layer.name.as_str(), number),
            ("111111111111", "l", 12)
        );
        for (text, words) in [
            (
                "arn:aws:lambda:us-east-1:000000000000:layer:l:1",
                "is a version of a layer",
            ),
            (
                "arn:aws:lambda:eu-west-1:000000000000:layer:l",
                "expected to be in region us-east-1",
            ),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:l",
                "not an ARN of a layer",
            ),
            (
                "arn:aws:sqs:us-east-1:000000000000:layer:l",
                "not an ARN of a layer",
            ),
            (&"l".repeat(100), "is too long"),
        ] {
            let error = Layer::of(&ctx(), text).expect_err(text);
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
        let error = Layer::version_of(&ctx(), "arn:aws:lambda:us-east-1:000000000000:layer:l");
        assert!(
            error
                .expect_err("no version")
                .to_string()
                .contains("of a layer version")
        );
    }
}
