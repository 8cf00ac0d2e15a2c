//! Names of queues, their URLs and ARNs. A URL is `http://host:port/account/name`, with the host that the client reached
//! us by; of one that comes back only account and name count.

use roadstead_base::{Arn, Ctx, Partition};

use crate::error::{Error, Result};

const MAX_NAME: usize = 80;
const FIFO: &str = ".fifo";

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether the name is that of a FIFO queue.
///
/// # Errors
/// It is none of a queue.
pub(crate) fn check(name: &str) -> Result<bool> {
    let (stem, fifo) = match name.strip_suffix(FIFO) {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    if name.len() > MAX_NAME || !is_word(stem) {
        return Err(Error::Value(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length".into(),
        ));
    }
    Ok(fifo)
}

/// Labels of permissions and ids of batch entries have the same form.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= MAX_NAME && is_word(text)
}

pub(crate) fn url(ctx: &Ctx, name: &str) -> String {
    let endpoint = match ctx.endpoint.as_str() {
        "" => format!("https://sqs.{}.amazonaws.com", ctx.region),
        endpoint => endpoint.to_owned(),
    };
    format!("{endpoint}/{}/{name}", ctx.account)
}

/// The name in a URL of the caller's own account.
pub(crate) fn of_url<'u>(ctx: &Ctx, url: &'u str) -> Result<&'u str> {
    let mut segments = url.trim_end_matches('/').rsplit('/');
    let (Some(name), Some(account)) = (segments.next(), segments.next()) else {
        return Err(Error::Address(url.to_owned()));
    };
    if check(name).is_err() || account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::Address(url.to_owned()));
    }
    if account != ctx.account.as_str() {
        return Err(Error::unsupported(format!("QueueUrl {url} of another account")));
    }
    Ok(name)
}

pub(crate) fn arn(partition: &Partition, name: &str) -> String {
    Arn::new("sqs", &partition.region, &partition.account, name).to_string()
}

/// The name in an ARN of a queue in this account and region.
pub(crate) fn of_arn(partition: &Partition, text: &str) -> Option<String> {
    let arn: Arn = text.parse().ok()?;
    let here = arn.service == "sqs"
        && arn.region == partition.region.as_str()
        && arn.account == partition.account.as_str();
    let name = text.splitn(6, ':').nth(5)?;
    (here && check(name).is_ok()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_fifo_by_their_end() {
        let long = "a".repeat(81);
        for (name, fifo) in [
            ("q", Some(false)),
            ("Q_1-x", Some(false)),
            ("q.fifo", Some(true)),
            ("", None),
            (".fifo", None),
            ("a.b", None),
            (long.as_str(), None),
        ] {
            assert_eq!(check(name).ok(), fifo, "{name}");
        }
    }
}
