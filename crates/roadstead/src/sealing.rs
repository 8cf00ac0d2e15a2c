//! The key that secrets are sealed with, kept apart from the records that hold them: whoever has a copy of the store
//! alone can read none. Lost, it takes them with it.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use roadstead_base::random_bytes;
use roadstead_seal::Seal;

use crate::place;
use crate::store::Choice;

const FILE: &str = "secrets-key";

/// Secrets in memory go with the process, and so does their key.
pub(crate) fn seal(store: &Choice, data: &Path) -> Result<Seal> {
    let key = match store {
        Choice::Memory => random_bytes()?,
        _ => kept(data)?,
    };
    Ok(Seal::new(&key)?)
}

/// The key that messages of queues are sealed with: another than that of secrets, and as lasting.
pub(crate) fn queues_key(store: &Choice, data: &Path) -> Result<[u8; 32]> {
    let key = match store {
        Choice::Memory => return Ok(random_bytes()?),
        _ => kept(data)?,
    };
    let owner: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let digits = roadstead_base::derived_hex(&owner, "queues", 64);
    let mut derived = [0; 32];
    for (byte, pair) in derived.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(derived)
}

fn kept(data: &Path) -> Result<[u8; 32]> {
    let path = data.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
            anyhow!(
                "{} does not hold a key of 32 bytes; it was changed by hand, and without the one it held no secret can be read",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = random_bytes()?;
            place::durable(&path, &key)?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_stays_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = kept(folder.path()).expect("made");
        assert_eq!(kept(folder.path()).expect("read"), key);
        let file = folder.path().join(FILE);
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&file, "short").expect("written");
        assert!(
            kept(folder.path())
                .expect_err("changed")
                .to_string()
                .contains("32 bytes")
        );
    }
}
