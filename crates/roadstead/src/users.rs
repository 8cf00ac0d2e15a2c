//! Which users of the machine the users of containers are, as the operator says it.

use std::str::FromStr;

use anyhow::{Result, bail};
use serde::Deserialize;

/// `100000:65536`: the users of the machine that containers' users are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Users {
    pub first: u32,
    pub count: u32,
}

impl FromStr for Users {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = text
            .split_once(':')
            .and_then(|(first, count)| Some((first.parse().ok()?, count.parse().ok()?)));
        match read {
            // The images' `nobody` is 65534.
            Some((first, count))
                if first > 0 && count >= 65_536 && u32::checked_add(first, count).is_some() =>
            {
                Ok(Self { first, count })
            }
            _ => bail!(
                "{text:?} is not FIRST:COUNT with at least 65536 users that are not root, such as 100000:65536"
            ),
        }
    }
}

impl TryFrom<String> for Users {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// Users of its own are what a privileged container does not have.
pub(crate) fn check_users(users: Option<Users>, allow_privileged: bool) -> Result<()> {
    if users.is_some() && allow_privileged {
        bail!(
            "--userns and --allow-privileged exclude each other: a privileged container is root of the machine"
        );
    }
    Ok(())
}
