//! What a secret is called. Its ARN ends in six characters of chance, so that a secret that comes after another of
//! the same name is not taken for it; callers may leave them off, or give the name alone.

use roadstead_base::{Arn, Partition, random_bytes};

use crate::error::{Error, Result};

const SUFFIX: usize = 6;
const MAX_NAME: usize = 512;

/// How a caller points at a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretId {
    /// Names it may be: the likelier first, each with the ARN's characters if those were given.
    pub(crate) candidates: Vec<(String, Option<String>)>,
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
        return Err(Error::parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@",
        ));
    }
    Ok(())
}

/// Letters and digits.
pub(crate) fn suffix() -> Result<String> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < SUFFIX {
        let bytes: [u8; 16] = random_bytes().map_err(|_| Error::Encryption)?;
        // Bytes beyond a multiple of 62 would make some characters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % 62])));
    }
    text.truncate(SUFFIX);
    Ok(text)
}

pub(crate) fn arn(partition: &Partition, name: &str, suffix: &str) -> String {
    Arn::new(
        "secretsmanager",
        &partition.region,
        &partition.account,
        format!("secret:{name}-{suffix}"),
    )
    .to_string()
}

/// The ARN of a secret that is not there, which so has no last characters: callers may leave them off.
pub(crate) fn partial_arn(partition: &Partition, name: &str) -> String {
    Arn::new(
        "secretsmanager",
        &partition.region,
        &partition.account,
        format!("secret:{name}"),
    )
    .to_string()
}

impl SecretId {
    /// A name, an ARN, or an ARN without its last six characters. Secrets of other accounts and regions are not
    /// found.
    pub(crate) fn parse(partition: &Partition, text: &str) -> Result<Self> {
        if !text.starts_with("arn:") {
            check_name(text)?;
            return Ok(Self {
                candidates: vec![(text.to_owned(), None)],
            });
        }
        let arn: Arn = text
            .parse()
            .map_err(|_| Error::parameter("Invalid ARN: it is not one of a secret."))?;
        let name = match arn.resource.strip_prefix("secret:") {
            Some(name) if arn.service == "secretsmanager" => name,
            _ => return Err(Error::parameter("Invalid ARN: it is not one of a secret.")),
        };
        if arn.region != partition.region.to_string() || arn.account != partition.account.to_string() {
            return Err(Error::NotFound);
        }
        check_name(name)?;
        let mut candidates = Vec::new();
        if let Some((rest, suffix)) = name.rsplit_once('-')
            && suffix.len() == SUFFIX
            && !rest.is_empty()
        {
            candidates.push((rest.to_owned(), Some(suffix.to_owned())));
        }
        candidates.push((name.to_owned(), None));
        Ok(Self { candidates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Partition {
        Partition {
            account: "000000000000".parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
        }
    }

    #[test]
    fn ids_are_names_and_arns_whole_or_partial() {
        let own = |name: &str, suffix: Option<&str>| (name.to_owned(), suffix.map(str::to_owned));
        let prefix = "arn:aws:secretsmanager:us-east-1:000000000000:secret:";
        for (text, expected) in [
            ("a/b_c+=.@-d".to_owned(), vec![own("a/b_c+=.@-d", None)]),
            ("a-abcdef".to_owned(), vec![own("a-abcdef", None)]),
            (format!("{prefix}a"), vec![own("a", None)]),
            (
                format!("{prefix}a-AbCd12"),
                vec![own("a", Some("AbCd12")), own("a-AbCd12", None)],
            ),
            (format!("{prefix}a-b"), vec![own("a-b", None)]),
            (format!("{prefix}-AbCd12"), vec![own("-AbCd12", None)]),
        ] {
            let id = SecretId::parse(&here(), &text).expect(&text);
            assert_eq!(id.candidates, expected, "{text}");
        }
        let text = arn(&here(), "a", &suffix().expect("entropy"));
        assert_eq!(text.len(), prefix.len() + 8, "{text}");
        for (text, words) in [
            ("a b", "Invalid name"),
            ("", "Invalid name"),
            ("ä", "Invalid name"),
            ("arn:aws", "Invalid ARN"),
            ("arn:aws:ecs:us-east-1:000000000000:secret:a", "Invalid ARN"),
            ("arn:aws:secretsmanager:us-east-1:000000000000:a", "Invalid ARN"),
            (
                "arn:aws:secretsmanager:eu-west-1:000000000000:secret:a",
                "can't find",
            ),
            (
                "arn:aws:secretsmanager:us-east-1:111111111111:secret:a",
                "can't find",
            ),
        ] {
            let error = SecretId::parse(&here(), text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
