//! Whether a version was withdrawn, by what cargo kept of the registry's index when it last asked. The format of
//! that cache is cargo's own and may change: what cannot be read is unknown, never good.

use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Yanked,
    Unknown,
}

#[derive(Deserialize)]
struct Entry {
    vers: String,
    yanked: bool,
}

/// Cargo's copies of registries' indexes.
pub(super) struct Index(Vec<PathBuf>);

impl Index {
    pub(super) fn of_this_machine() -> Self {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let folders = home
            .and_then(|home| std::fs::read_dir(home.join("registry/index")).ok())
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join(".cache")))
            .collect();
        Self(folders)
    }

    pub(super) fn standing(&self, name: &str, version: &str) -> Standing {
        let file = place(&name.to_lowercase());
        self.0
            .iter()
            .filter_map(|folder| std::fs::read(folder.join(&file)).ok())
            .map(|kept| find(&kept, version))
            .find(|standing| *standing != Standing::Unknown)
            .unwrap_or(Standing::Unknown)
    }
}

/// Where an index keeps a crate, by the length of its name.
fn place(name: &str) -> PathBuf {
    match name.len() {
        1 | 2 => Path::new(&name.len().to_string()).join(name),
        3 => Path::new("3").join(&name[..1]).join(name),
        _ => Path::new(&name[..2]).join(&name[2..4]).join(name),
    }
}

/// The entries are JSON between zero bytes, after a header.
fn find(kept: &[u8], version: &str) -> Standing {
    kept.split(|byte| *byte == 0)
        .filter_map(|part| serde_json::from_slice::<Entry>(part).ok())
        .find(|entry| entry.vers == version)
        .map_or(Standing::Unknown, |entry| {
            if entry.yanked {
                Standing::Yanked
            } else {
                Standing::Good
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_lie_where_the_index_puts_them() {
        for (name, path) in [
            ("a", "1/a"),
            ("ab", "2/ab"),
            ("abc", "3/a/abc"),
            ("serde", "se/rd/serde"),
        ] {
            assert_eq!(place(name), Path::new(path));
        }
    }

    #[test]
    fn a_withdrawn_version_is_told_from_a_good_and_an_unknown_one() {
        let kept = b"\x03\x02etag\x001.0.0\x00{\"name\":\"x\",\"vers\":\"1.0.0\",\"yanked\":false}\x00\
                     1.0.1\x00{\"name\":\"x\",\"vers\":\"1.0.1\",\"yanked\":true}\x00";
        assert_eq!(find(kept, "1.0.0"), Standing::Good);
        assert_eq!(find(kept, "1.0.1"), Standing::Yanked);
        assert_eq!(find(kept, "1.0.2"), Standing::Unknown);
        assert_eq!(find(b"", "1.0.0"), Standing::Unknown);
    }
}
