//! Page tokens. A token is the cursor and a keyed digest of it with the call it belongs to, so that it
//! cannot be forged or carried from one listing to another, and survives a restart with the key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const TAG: usize = 16;

/// The token was not issued by this cloud for this listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page token was not issued for this listing")]
pub struct PageError;

/// Makes and checks page tokens.
pub struct Pager {
    key: [u8; 32],
}

impl std::fmt::Debug for Pager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pager(key withheld)")
    }
}

impl Pager {
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// `scope` names account, region, operation and whatever filters the listing; `cursor` is the last
    /// item shown.
    pub fn encode(&self, scope: &str, cursor: &str) -> String {
        let mut bytes = self.tag(scope, cursor.as_bytes()).to_vec();
        bytes.extend_from_slice(cursor.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor inside a token.
    ///
    /// # Errors
    /// [`PageError`] when it was forged, cut, or belongs to another scope.
    pub fn decode(&self, scope: &str, token: &str) -> Result<String, PageError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| PageError)?;
        let (tag, cursor) = bytes.split_at_checked(TAG).ok_or(PageError)?;
        let mut mac = self.mac(scope);
        mac.update(cursor);
        mac.verify_truncated_left(tag).map_err(|_| PageError)?;
        String::from_utf8(cursor.to_vec()).map_err(|_| PageError)
    }

    fn mac(&self, scope: &str) -> Hmac<Sha256> {
        #[allow(clippy::expect_used)] // HMAC takes keys of any length
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).expect("HMAC takes any key");
        mac.update(&(scope.len() as u64).to_be_bytes());
        mac.update(scope.as_bytes());
        mac
    }

    fn tag(&self, scope: &str, cursor: &[u8]) -> [u8; TAG] {
        let mut mac = self.mac(scope);
        mac.update(cursor);
        let full = mac.finalize().into_bytes();
        let mut tag = [0; TAG];
        tag.copy_from_slice(&full[..TAG]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_only_for_their_own_listing() {
        let pager = Pager::new([7; 32]);
        let token = pager.encode("ListTasks/a", "cursor/ü");
        assert_eq!(pager.decode("ListTasks/a", &token).as_deref(), Ok("cursor/ü"));
        assert_eq!(pager.decode("ListTasks/b", &token), Err(PageError));
        assert_eq!(Pager::new([8; 32]).decode("ListTasks/a", &token), Err(PageError));
        for forged in ["", "abc", &token[1..], &format!("{token}A")] {
            assert_eq!(pager.decode("ListTasks/a", forged), Err(PageError), "{forged}");
        }
    }
}
