//! Where ids come from: randomness for what is new, a digest of the owner's id for what a retry must not
//! make twice.

use sha2::{Digest, Sha256};

/// The kernel gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("reading randomness from the kernel failed")]
pub struct EntropyError(#[from] getrandom::Error);

/// `N` bytes from the kernel's random source.
///
/// # Errors
/// The kernel has no random source; nothing sensible can be done but to stop.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// `digits` lower-case hexadecimal digits, as in `eni-0123456789abcdef0` (17) or a task id (32).
pub fn random_hex(digits: usize) -> String {
    let mut text = uuid::Uuid::new_v4().simple().to_string();
    while text.len() < digits {
        text.push_str(&uuid::Uuid::new_v4().simple().to_string());
    }
    // The version and variant nibbles of a UUID are fixed; what is cut off are the trailing digits.
    text.replace_range(12..13, "");
    if text.len() < digits {
        text.push_str(&uuid::Uuid::new_v4().simple().to_string()[..1]);
    }
    text.truncate(digits);
    text
}

pub fn random_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `digits` (at most 64) hexadecimal digits that depend on the owner and purpose alone, so that a second
/// try makes the same id.
pub fn derived_hex(owner: &str, purpose: &str, digits: usize) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    hash.update(owner.as_bytes());
    hash.update([0]);
    hash.update(purpose.as_bytes());
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_ids_have_the_length_asked_for() {
        for digits in [1, 8, 17, 31, 32, 64] {
            let id = random_hex(digits);
            assert_eq!(id.len(), digits);
            assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
        }
        assert_ne!(random_hex(17), random_hex(17));
    }

    #[test]
    fn derived_ids_depend_on_owner_and_purpose() {
        assert_eq!(derived_hex("a", "eni", 17), derived_hex("a", "eni", 17));
        assert_ne!(derived_hex("a", "eni", 17), derived_hex("b", "eni", 17));
        assert_ne!(derived_hex("a", "eni", 17), derived_hex("ae", "ni", 17));
    }
}
