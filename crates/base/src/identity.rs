//! On whose behalf a call is made. Carried by value through dispatch, so that no handler can act without
//! knowing for whom.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Origin};
use crate::page::Pager;

/// The text does not have the form of the id that was wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct ParseIdError {
    pub text: String,
    pub wanted: &'static str,
}

/// Twelve digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

/// A region's name, such as `us-east-1`. Any name of that form is a region of one's own cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

/// An account in a region: what every record is filed under.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition {
    pub account: AccountId,
    pub region: Region,
}

macro_rules! text_id {
    ($name:ident, $wanted:literal, $check:expr) => {
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(ParseIdError {
                        text: text.chars().take(64).collect(),
                        wanted: $wanted,
                    })
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(AccountId, "an account id of 12 digits", |t| t.len() == 12
    && t.bytes().all(|b| b.is_ascii_digit()));
text_id!(Region, "a region name such as us-east-1", |t| {
    (3..=32).contains(&t.len())
        && t.starts_with(|c: char| c.is_ascii_lowercase())
        && t.ends_with(|c: char| c.is_ascii_alphanumeric())
        && t.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
});

/// What is known of a call besides its input.
#[derive(Clone, Debug)]
pub struct Ctx {
    pub account: AccountId,
    pub region: Region,
    pub caller: Caller,
    /// Unique to the call; answered to the client and logged.
    pub request_id: String,
    pub pager: Arc<Pager>,
    /// Where the client reached us, `http://host:port`; empty for calls from within.
    pub endpoint: String,
    /// Where the client is.
    pub origin: Arc<Origin>,
}

impl Ctx {
    pub fn partition(&self) -> Partition {
        Partition {
            account: self.account.clone(),
            region: self.region.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_twelve_digits() {
        assert!("000000000000".parse::<AccountId>().is_ok());
        for bad in ["", "12345678901", "1234567890123", "12345678901a"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_are_plain_names() {
        for good in ["us-east-1", "edge-7", "local"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "US-EAST-1", "a/b", "-x", "us-east-"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
