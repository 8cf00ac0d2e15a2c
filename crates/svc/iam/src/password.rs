//! Passwords of users: what the account's policy asks of them, and how they are kept. Nobody signs in with one here,
//! as there is no console; all that the API says of them holds.

use hmac::{Hmac, KeyInit, Mac};
use roadstead_base::Timestamp;
use roadstead_protocol::ApiError;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::{Result, violates_policy};

/// Rounds of PBKDF2 with HMAC-SHA-256, together with a key that does not lie in the store.
const ROUNDS: u32 = 20_000;
/// Hashes of passwords that were before: as many as a policy can forbid.
pub(crate) const REMEMBERED: usize = 24;
/// Characters of a password, unless the policy says more.
pub(crate) const LEAST: i32 = 6;
/// As the reference lists them.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";

/// The account's policy, as `UpdateAccountPasswordPolicy` left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordPolicyRecord {
    pub least: i32,
    pub symbols: bool,
    pub numbers: bool,
    pub upper: bool,
    pub lower: bool,
    /// Users may call ChangePassword though no policy of theirs allows it.
    pub users_change: bool,
    /// Days.
    pub max_age: Option<i32>,
    /// How many earlier passwords cannot be taken again.
    pub reuse: Option<i32>,
    pub hard_expiry: Option<bool>,
}

/// A user's password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginRecord {
    pub created: Timestamp,
    pub salt: String,
    pub hash: String,
    /// Hashes of earlier ones, the latest first.
    pub before: Vec<String>,
    pub reset: bool,
}

impl LoginRecord {
    pub(crate) fn is(&self, hash: &str) -> bool {
        let pairs = self.hash.bytes().zip(hash.bytes());
        // Every byte is looked at, whichever is the first to differ.
        let differing = pairs.fold(0, |seen, (a, b)| seen | (a ^ b));
        self.hash.len() == hash.len() && differing == 0
    }

    /// The password is another from now on.
    pub(crate) fn change(&mut self, hash: String) {
        let old = std::mem::replace(&mut self.hash, hash);
        self.before.insert(0, old);
        self.before.truncate(REMEMBERED);
    }
}

pub(crate) fn hash(pepper: &[u8; 32], salt: &str, password: &str) -> String {
    let mac = |parts: &[&[u8]]| {
        #[allow(clippy::expect_used)] // HMAC takes keys of any length
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(password.as_bytes()).expect("HMAC takes any key");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes()
    };
    let mut round = mac(&[pepper, salt.as_bytes(), &1_u32.to_be_bytes()]);
    let mut sum = round;
    for _ in 1..ROUNDS {
        round = mac(&[&round]);
        for (sum, byte) in sum.iter_mut().zip(round) {
            *sum ^= byte;
        }
    }
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a password is as the policy wants it.
///
/// # Errors
/// PasswordPolicyViolation.
pub(crate) fn conforms(policy: Option<&PasswordPolicyRecord>, password: &str) -> Result<()> {
    let Some(policy) = policy else { return Ok(()) };
    let has = |wanted: bool, of: fn(char) -> bool| !wanted || password.chars().any(of);
    let long = i32::try_from(password.chars().count()).unwrap_or(i32::MAX) >= policy.least;
    let good = long
        && has(policy.symbols, |c| SYMBOLS.contains(c))
        && has(policy.numbers, |c| c.is_ascii_digit())
        && has(policy.upper, |c| c.is_ascii_uppercase())
        && has(policy.lower, |c| c.is_ascii_lowercase());
    match good {
        true => Ok(()),
        false => Err(not_conforming()),
    }
}

fn not_conforming() -> ApiError {
    violates_policy("Password does not conform to the account password policy.")
}

/// Whether a password can be the user's next.
///
/// # Errors
/// PasswordPolicyViolation.
pub(crate) fn is_new(policy: Option<&PasswordPolicyRecord>, login: &LoginRecord, hash: &str) -> Result<()> {
    let kept = policy.and_then(|policy| policy.reuse).unwrap_or_default();
    let kept = usize::try_from(kept).unwrap_or_default();
    let current = std::iter::once(&login.hash);
    let taken = current.chain(&login.before).take(kept).any(|old| old == hash);
    match taken {
        true => Err(violates_policy(
            "Policy constraint violation with password reuse prevention.",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PasswordPolicyRecord {
        PasswordPolicyRecord {
            least: 8,
            symbols: false,
            numbers: false,
            upper: false,
            lower: false,
            users_change: false,
            max_age: None,
            reuse: None,
            hard_expiry: None,
        }
    }

    #[test]
    fn a_policy_asks_for_length_and_kinds_of_characters() {
        type Case = (fn(&mut PasswordPolicyRecord), &'static str, bool);
        let cases: [Case; 10] = [
            (|_| {}, "seven77", false),
            (|_| {}, "eight888", true),
            (|it| it.symbols = true, "eight888", false),
            (|it| it.symbols = true, "eight88'", true),
            (|it| it.numbers = true, "nonumber", false),
            (|it| it.numbers = true, "numbers1", true),
            (|it| it.upper = true, "eight888", false),
            (|it| it.upper = true, "Eight888", true),
            (|it| it.lower = true, "EIGHT888", false),
            (|it| it.lower = true, "EIGHt888", true),
        ];
        for (index, (change, password, good)) in cases.into_iter().enumerate() {
            let mut policy = policy();
            change(&mut policy);
            assert_eq!(
                conforms(Some(&policy), password).is_ok(),
                good,
                "{index}: {password}"
            );
        }
        assert!(conforms(None, "x").is_ok());
    }

    #[test]
    fn a_hash_depends_on_all_that_makes_it() {
        let one = hash(&[1; 32], "salt", "password");
        assert_eq!(one, hash(&[1; 32], "salt", "password"));
        assert_eq!(one.len(), 64);
        for other in [
            hash(&[2; 32], "salt", "password"),
            hash(&[1; 32], "tlas", "password"),
            hash(&[1; 32], "salt", "Password"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn as_many_passwords_as_the_policy_says_are_not_taken_again() {
        let mut login = LoginRecord {
            created: Timestamp(0),
            salt: String::new(),
            hash: "a".into(),
            before: Vec::new(),
            reset: false,
        };
        login.change("b".into());
        login.change("c".into());
        let mut policy = policy();
        assert!(is_new(Some(&policy), &login, "c").is_ok());
        policy.reuse = Some(2);
        for (hash, good) in [("c", false), ("b", false), ("a", true)] {
            assert_eq!(is_new(Some(&policy), &login, hash).is_ok(), good, "{hash}");
        }
    }
}
