//! Ids and key ids. An access key's id tells its account, and a tag in it tells whether it was ever ours: one that
//! was issued and deleted stays a refused key, and does not become a stranger's.

use hmac::{Hmac, KeyInit, Mac};
use roadstead_base::{AccountId, random_bytes};
use sha2::Sha256;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Of a user's own key, and of a session's.
pub(crate) const LONG_TERM: &str = "AKIA";
pub(crate) const SESSION: &str = "ASIA";
/// Characters behind the prefix: 80 bits.
const KEY_TAIL: usize = 16;

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0u32, 0u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits)) as usize & 31]));
    }
    text
}

fn unbase32(text: &str) -> Option<[u8; 10]> {
    if text.len() != KEY_TAIL {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        bits = (bits << 5) | digit as u128;
    }
    let bytes = bits.to_be_bytes();
    bytes[6..].try_into().ok()
}

/// An id that nobody else gets: `AIDA…`, `AROA…`, 21 characters.
pub(crate) fn unique(prefix: &str) -> String {
    let hex = roadstead_base::random_hex(32);
    let bytes: Vec<u8> = hex.bytes().take(32).collect();
    from_seed(prefix, &bytes)
}

/// An id that depends on the text alone, for what everybody has, such as managed policies.
pub(crate) fn fixed(prefix: &str, text: &str) -> String {
    let hex = roadstead_base::derived_hex(text, prefix, 32);
    from_seed(prefix, hex.as_bytes())
}

fn from_seed(prefix: &str, hex: &[u8]) -> String {
    let digit = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).unwrap_or("00");
        u8::from_str_radix(text, 16).unwrap_or_default()
    };
    let bytes: Vec<u8> = hex.chunks(2).map(digit).collect();
    let mut text = base32(&bytes);
    text.truncate(17);
    format!("{prefix}{text}")
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> [u8; 2] {
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(b"access key id");
    mac.update(bytes);
    let full = mac.finalize().into_bytes();
    [full[0], full[1]]
}

/// A new key id of the account.
pub(crate) fn access_key(key: &[u8; 32], prefix: &str, account: &AccountId) -> String {
    let number: u64 = account.as_str().parse().unwrap_or_default();
    let mut bytes = [0; 10];
    bytes[..5].copy_from_slice(&number.to_be_bytes()[3..]);
    let random = random_bytes::<3>().unwrap_or_else(|_| {
        let hex = roadstead_base::random_uuid();
        let mut bytes = [0; 3];
        bytes.copy_from_slice(&hex.as_bytes()[..3]);
        bytes
    });
    bytes[5..8].copy_from_slice(&random);
    let tag = mac(key, &bytes[..8]);
    bytes[8..].copy_from_slice(&tag);
    format!("{prefix}{}", base32(&bytes))
}

/// The account of a key id that was issued here.
pub(crate) fn account_of(key: &[u8; 32], id: &str) -> Option<AccountId> {
    let tail = id.strip_prefix(LONG_TERM).or_else(|| id.strip_prefix(SESSION))?;
    let bytes = unbase32(tail)?;
    if mac(key, &bytes[..8]) != bytes[8..] {
        return None;
    }
    let mut number = [0; 8];
    number[3..].copy_from_slice(&bytes[..5]);
    format!("{:012}", u64::from_be_bytes(number)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_tell_their_account_to_who_has_the_key() {
        for account in ["000000000000", "123456789012", "999999999999"] {
            let account: AccountId = account.parse().expect("an account");
            let id = access_key(&[7; 32], LONG_TERM, &account);
            assert_eq!(id.len(), 20);
            assert_eq!(account_of(&[7; 32], &id), Some(account));
        }
        for strange in ["", "AKIA", "AKIAIOSFODNN7EXAMPLE", "test", "AKIAIOSFODNN7EXAMPL1"] {
            assert_eq!(account_of(&[7; 32], strange), None, "{strange}");
        }
    }

    #[test]
    fn ids_have_their_length() {
        let id = unique("AROA");
        assert!(id.len() == 21 && id.starts_with("AROA"), "{id}");
        assert_ne!(unique("AROA"), unique("AROA"));
        assert_eq!(fixed("ANPA", "a"), fixed("ANPA", "a"));
    }
}
