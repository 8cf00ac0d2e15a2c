//! Names that end up as directories, cgroups and argv of other processes: checked once, here, so that no
//! later step has to wonder what a slash or a leading dot would do.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text cannot be a name of this kind; the message says what would be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {kind}: use {rule}")]
pub struct ParseNameError {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;
            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ParseNameError { text: text.chars().take(128).collect(), kind: $kind, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseNameError;
            fn try_from(text: String) -> Result<Self, ParseNameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<Path> for $name {
            fn as_ref(&self) -> &Path {
                Path::new(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Which Roadstead of this machine: stands in the name of everything that it makes.
    InstanceId,
    "an instance id",
    "1 to 8 lower-case letters and digits",
    |text| (1..=8).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

name!(
    /// A container's name within its instance; also its directory's and its cgroup's.
    ContainerId,
    "a container id",
    "1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or a digit",
    plain_name
);

name!(
    /// A group of containers (a task) whose limits hold for all of them together.
    GroupName,
    "a group name",
    "1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or a digit",
    plain_name
);

fn plain_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_escape_their_directory_are_refused() {
        for text in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            ".hidden",
            "-x",
            "a b",
            "a\0",
            &"x".repeat(65),
        ] {
            assert!(text.parse::<ContainerId>().is_err(), "{text:?}");
            assert!(text.parse::<GroupName>().is_err(), "{text:?}");
        }
        for text in ["a", "0", "web-1", "a.b_c-D", &"x".repeat(64)] {
            assert_eq!(text.parse::<ContainerId>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn an_instance_id_fits_into_an_interface_name() {
        for (text, ok) in [
            ("a1", true),
            ("12345678", true),
            ("123456789", false),
            ("A", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<InstanceId>().is_ok(), ok, "{text:?}");
        }
    }

    #[test]
    fn a_stored_name_is_checked_again_when_read() {
        assert!(serde_json::from_str::<ContainerId>("\"../etc\"").is_err());
        assert!(serde_json::from_str::<ContainerId>("\"web\"").is_ok());
    }
}
