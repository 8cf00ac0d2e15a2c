//! Every namespace and device that Roadstead makes carries its instance id, so that two instances on one
//! machine never touch each other's, and a crash's leftovers have an owner. The kernel allows a device
//! name 15 characters; ids are longer, so a device's name holds a hash and its alias holds the id.

use std::fmt;

use crate::{Error, Result};

/// Longest device name the kernel takes.
const IFNAME_MAX: usize = 15;

/// Stands in every name: 4 to 6 characters of `a-z0-9`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId(String);

impl InstanceId {
    /// # Errors
    /// [`Error::Invalid`] when the length or a character does not fit.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = (4..=6).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        fits.then(|| Self(text.to_owned())).ok_or_else(|| {
            Error::Invalid(format!(
                "instance id {text:?} must be 4 to 6 characters of a-z and 0-9"
            ))
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Prefix of every device of this instance. The hyphen keeps `abcd` from owning `abcde`'s devices.
    pub fn device_prefix(&self) -> String {
        format!("rs{}-", self.0)
    }

    /// Name of the agent's own namespace.
    pub fn agent_namespace(&self) -> String {
        format!("rs-{}-agent", self.0)
    }

    /// Name of the namespace that is the router of the node's bridge network.
    pub fn bridge_namespace(&self) -> String {
        format!("rs-{}-bridge", self.0)
    }

    /// Name of a VPC's router namespace.
    pub fn router_namespace(&self, vpc: &VpcId) -> String {
        format!("rs-{}-{vpc}", self.0)
    }

    /// The VPC of a router namespace of this instance.
    pub fn vpc_of_namespace(&self, name: &str) -> Option<VpcId> {
        let rest = name.strip_prefix(&format!("rs-{}-", self.0))?;
        rest.starts_with("vpc-")
            .then(|| VpcId::parse(rest).ok())
            .flatten()
    }

    /// Name of a task's namespace made by [`crate::Network::make_task_namespace`].
    pub fn task_namespace(&self, task: &str) -> String {
        format!("rs-{}-task-{task}", self.0)
    }

    /// A device name for `id`; `kind` is one letter. `attempt` gives another name after a collision.
    pub fn device(&self, kind: char, id: &str, attempt: u32) -> String {
        let mut name = format!("{}{kind}", self.device_prefix());
        let hash = fnv1a(format!("{attempt}/{id}").as_bytes());
        push_base32(&mut name, hash, IFNAME_MAX);
        name
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fills `name` up to `length` with letters and digits taken from `hash`.
pub(crate) fn push_base32(name: &mut String, mut hash: u64, length: usize) {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    while name.len() < length {
        name.push(char::from(ALPHABET[(hash & 31) as usize]));
        hash >>= 5;
    }
}

/// FNV-1a, 64 bits: names must be the same in every process and release, which std's hasher is not.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    // The low bits of FNV mix poorly over short inputs; fold the high ones in.
    hash ^ (hash >> 29)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// [`Error::Invalid`] unless it begins with the kind's prefix and holds at most 64 characters
            /// of `a-z0-9-`: it becomes part of file, namespace and nftables names.
            pub fn parse(text: &str) -> Result<Self> {
                let fits = text.starts_with($prefix)
                    && text.len() > $prefix.len()
                    && text.len() <= 64
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                fits.then(|| Self(text.to_owned())).ok_or_else(|| {
                    Error::Invalid(format!(
                        concat!("{:?} is not an id of the form ", $prefix, "…"), text
                    ))
                })
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// `vpc-…`
    VpcId,
    "vpc-"
);
id!(
    /// `eni-…`
    InterfaceId,
    "eni-"
);
id!(
    /// `sg-…`
    GroupId,
    "sg-"
);

/// A hardware address; parsed from and shown as lower case, colon separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// # Errors
    /// [`Error::Invalid`] unless it is six pairs of hexadecimal digits with colons.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || Error::Invalid(format!("{text:?} is not a MAC address (aa:bb:cc:dd:ee:ff)"));
        let mut bytes = [0u8; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| refuse())?;
        }
        if parts.next().is_some() || bytes[0] & 1 == 1 {
            return Err(refuse());
        }
        Ok(Self(bytes))
    }

    /// The link-local IPv6 address that a kernel makes of it (RFC 4291, appendix A).
    pub fn link_local(self) -> std::net::Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
        std::net::Ipv6Addr::new(
            0xfe80,
            0,
            0,
            0,
            pair(a ^ 2, b),
            pair(c, 0xff),
            pair(0xfe, d),
            pair(e, f),
        )
    }

    /// The address that belongs to a link-local IPv4 address: `0a:58` and the four bytes.
    pub fn of_ip(ip: std::net::Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([0x0a, 0x58, a, b, c, d])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl TryFrom<String> for MacAddr {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> String {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_ids_and_device_names_fit_the_kernel() {
        for (text, good) in [
            ("abcd", true),
            ("a1b2c3", true),
            ("abc", false),
            ("abcdefg", false),
            ("ABCD", false),
            ("ab-d", false),
        ] {
            assert_eq!(InstanceId::parse(text).is_ok(), good, "{text}");
        }
        let id = InstanceId::parse("abcdef").unwrap();
        let name = id.device('e', "eni-0123456789abcdef0", 0);
        assert_eq!(name.len(), IFNAME_MAX);
        assert!(name.starts_with("rsabcdef-e"));
        assert_ne!(name, id.device('e', "eni-0123456789abcdef0", 1));
        assert_ne!(name, id.device('e', "eni-0123456789abcdef1", 0));
        assert!(!name.starts_with(&InstanceId::parse("abcde").unwrap().device_prefix()));
    }

    #[test]
    fn ids_that_could_leave_a_directory_or_a_rule_are_refused() {
        for text in ["vpc-", "vpc-../x", "vpc-a b", "vpc-a;b", "sg-1", "vpc-A"] {
            assert!(VpcId::parse(text).is_err(), "{text}");
        }
        assert!(VpcId::parse("vpc-0123456789abcdef0").is_ok());
    }

    #[test]
    fn a_mac_has_a_link_local_address() {
        let mac = MacAddr::parse("02:00:5e:10:00:9f").unwrap();
        assert_eq!(mac.link_local().to_string(), "fe80::5eff:fe10:9f");
    }

    #[test]
    fn macs_parse_and_show_the_same() {
        for text in ["02:00:00:00:00:01", "0a:58:a9:fe:ac:02"] {
            assert_eq!(MacAddr::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:01:02",
            "0g:00:00:00:00:01",
            "01:00:00:00:00:01",
        ] {
            assert!(MacAddr::parse(text).is_err(), "{text}");
        }
    }
}
