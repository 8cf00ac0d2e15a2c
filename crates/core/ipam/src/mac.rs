//! Hardware addresses of interfaces: locally administered, so that they can be made up, and 40 bits wide under
//! the prefix `02`, so that those derived from different owners hardly ever meet.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A hardware address, written `02:00:5e:00:53:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

/// The text is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a hardware address; write it as 02:00:5e:00:53:01")]
pub struct ParseMacError {
    pub text: String,
}

impl Mac {
    /// The locally administered address with these 40 bits: random ones, or a digest of the owner's id.
    pub fn local(bits: [u8; 5]) -> Self {
        let [b, c, d, e, f] = bits;
        Self([2, b, c, d, e, f])
    }

    /// The first address from these 40 bits on that is not in use.
    pub fn first_free(bits: [u8; 5], used: &BTreeSet<Mac>) -> Self {
        let mut mac = Self::local(bits);
        // Ends: there are more addresses than any set in memory holds.
        while used.contains(&mac) {
            let [_, b, c, d, e, f] = mac.0;
            let next = u64::from_be_bytes([0, 0, 0, b, c, d, e, f]).wrapping_add(1);
            let [_, _, _, b, c, d, e, f] = next.to_be_bytes();
            mac = Self::local([b, c, d, e, f]);
        }
        mac
    }

    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMacError {
            text: text.chars().take(32).collect(),
        };
        let (mut octets, mut parts) = ([0; 6], text.split(':'));
        for octet in &mut octets {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *octet = part
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(error)?;
        }
        if parts.next().is_some() {
            Err(error())
        } else {
            Ok(Self(octets))
        }
    }
}

impl TryFrom<String> for Mac {
    type Error = ParseMacError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_read_strictly() {
        let mac: Mac = "02:00:5E:00:53:01".parse().unwrap();
        assert_eq!(mac.octets(), [2, 0, 0x5e, 0, 0x53, 1]);
        assert_eq!(serde_json::to_string(&mac).unwrap(), "\"02:00:5e:00:53:01\"");
        for malformed in [
            "",
            "02:00:5e:00:53",
            "02:00:5e:00:53:01:02",
            "02-00-5e-00-53-01",
            "2:00:5e:00:53:01",
            "+2:00:5e:00:53:01",
        ] {
            assert!(malformed.parse::<Mac>().is_err(), "{malformed}");
            assert!(
                serde_json::from_value::<Mac>(malformed.into()).is_err(),
                "{malformed}"
            );
        }
    }

    #[test]
    fn a_taken_address_gives_way_to_the_next() {
        let mac = |text: &str| text.parse::<Mac>().unwrap();
        let used = BTreeSet::from(["02:ff:ff:ff:ff:ff", "02:00:00:00:00:00", "02:00:00:00:01:ff"].map(mac));
        assert_eq!(
            Mac::first_free([0xff; 5], &used),
            mac("02:00:00:00:00:01"),
            "round"
        );
        assert_eq!(
            Mac::first_free([0, 0, 0, 1, 0xff], &used),
            mac("02:00:00:00:02:00")
        );
        assert_eq!(Mac::first_free([9; 5], &used), mac("02:09:09:09:09:09"));
    }

    proptest! {
        #[test]
        fn every_address_is_local_unicast_and_round_trips(bits in any::<[u8; 5]>()) {
            let mac = Mac::local(bits);
            prop_assert_eq!(mac.octets()[0] & 0b11, 0b10);
            prop_assert_eq!(mac.to_string().parse::<Mac>(), Ok(mac));
        }
    }
}
