//! Names of topics, and ARNs of topics and subscriptions: `arn:aws:sns:region:account:topic[:subscription]`.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

const MAX_NAME: usize = 256;

pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(crate) fn topic_arn(partition: &Partition, topic: &str) -> String {
    Arn::new("sns", &partition.region, &partition.account, topic).to_string()
}

pub(crate) fn subscription_arn(partition: &Partition, topic: &str, id: &str) -> String {
    Arn::new(
        "sns",
        &partition.region,
        &partition.account,
        format!("{topic}:{id}"),
    )
    .to_string()
}

/// What an ARN of the caller's own account and region names: a topic, and a subscription of it.
fn parts(ctx: &Ctx, member: &str, text: &str) -> Result<(String, Option<String>)> {
    let elements = text.split(':').count();
    if elements < 6 {
        return Err(Error::invalid(format!(
            "{member} Reason: An ARN must have at least 6 elements, not {elements}"
        )));
    }
    let wrong = || Error::invalid(format!("{member} Reason: {text} is no ARN of sns"));
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    if arn.service != "sns" {
        return Err(wrong());
    }
    if arn.account != ctx.account.as_str() || arn.region != ctx.region.as_str() {
        return Err(Error::Unsupported(format!(
            "{member} {text} of another account or region"
        )));
    }
    match arn.resource.split_once(':') {
        Some((topic, id)) => Ok((topic.to_owned(), Some(id.to_owned()))),
        None => Ok((arn.resource, None)),
    }
}

pub(crate) fn topic(ctx: &Ctx, member: &str, text: &str) -> Result<String> {
    match parts(ctx, member, text)? {
        (topic, None) => Ok(topic),
        (_, Some(_)) => Err(Error::invalid(member)),
    }
}

/// The topic and the id of a subscription.
pub(crate) fn subscription(ctx: &Ctx, text: &str) -> Result<(String, String)> {
    match parts(ctx, "SubscriptionArn", text)? {
        (topic, Some(id)) => Ok((topic, id)),
        (_, None) => Err(Error::invalid("SubscriptionArn")),
    }
}
