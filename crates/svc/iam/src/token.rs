//! Session tokens. A token carries its session, with a keyed digest of it, and the secret of the session's key is a
//! keyed digest of the token: nothing is stored, so that sessions survive a restart and cost nothing while they last.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use roadstead_base::{AccountId, RoleSession, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Of the token's form. A later one has another.
const PREFIX: &str = "RSt1";
const TAG: usize = 32;

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Holder {
    Role(RoleSession),
    /// Name and id: a later user of that name is somebody else.
    User {
        name: String,
        id: String,
    },
    Root,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) access_key: String,
    pub(crate) account: AccountId,
    pub(crate) expires: Timestamp,
    pub(crate) holder: Holder,
}

fn mac(key: &[u8; 32], purpose: &str, bytes: &[u8]) -> Hmac<Sha256> {
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(purpose.as_bytes());
    mac.update(bytes);
    mac
}

/// The secret of the session's key.
pub(crate) fn secret(key: &[u8; 32], token: &str) -> String {
    let digest = mac(key, "session secret", token.as_bytes())
        .finalize()
        .into_bytes();
    let mut secret = STANDARD.encode(digest);
    secret.truncate(40);
    secret
}

impl Token {
    pub(crate) fn write(&self, key: &[u8; 32]) -> String {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = mac(key, "session token", &body).finalize().into_bytes().to_vec();
        bytes.extend_from_slice(&body);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// None: the token is not one of ours, or was changed.
    pub(crate) fn read(key: &[u8; 32], token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (tag, body) = bytes.split_at_checked(TAG)?;
        mac(key, "session token", body).verify_slice(tag).ok()?;
        serde_json::from_slice(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_by_who_wrote_them_and_by_nobody_when_changed() {
        let token = Token {
            access_key: "ASIA".into(),
            account: "123456789012".parse().expect("an account"),
            expires: Timestamp(1),
            holder: Holder::User {
                name: "ann".into(),
                id: "AIDA".into(),
            },
        };
        let text = token.write(&[1; 32]);
        assert_eq!(Token::read(&[1; 32], &text), Some(token));
        assert_eq!(Token::read(&[2; 32], &text), None);
        let mut changed = text.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(Token::read(&[1; 32], &String::from_utf8_lossy(&changed)), None);
        assert_eq!(Token::read(&[1; 32], "AQoDYXdzEJr"), None);
        assert_eq!(secret(&[1; 32], &text).len(), 40);
        assert_ne!(secret(&[1; 32], &text), secret(&[2; 32], &text));
    }
}
