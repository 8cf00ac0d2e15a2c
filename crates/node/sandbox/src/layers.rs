//! Layers of a function in one folder, later ones over earlier ones. Hard links: it costs no space.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use roadstead_base::{derived_hex, random_hex};
use roadstead_functions::Content;

/// Deeper folders are no layer of anybody's.
const MOST_DEPTH: usize = 64;

/// What becomes `/opt`; kept for the next environment with the same layers.
pub(crate) fn merged(folder: &Path, layers: &[Content]) -> io::Result<Option<PathBuf>> {
    let one = match layers {
        [] => return Ok(None),
        [one] => Some(one.folder.clone()),
        _ => None,
    };
    if one.is_some() {
        return Ok(one);
    }
    let names: Vec<&str> = layers.iter().map(|layer| layer.sha256.as_str()).collect();
    let whole = folder.join(derived_hex(&names.join(" "), "layers", 64));
    if whole.exists() {
        return Ok(Some(whole));
    }
    let part = folder.join(format!("part-{}", random_hex(16)));
    fs::create_dir_all(&part)?;
    for Content { sha256: _, folder } in layers {
        lay(folder, &part, MOST_DEPTH)?;
    }
    match fs::rename(&part, &whole) {
        Ok(()) => {}
        // Somebody else was quicker.
        Err(_) if whole.exists() => fs::remove_dir_all(&part)?,
        Err(error) => return Err(error),
    }
    Ok(Some(whole))
}

/// Forgets what was laid together; nothing may run.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn lay(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("the folders of a layer are too deep"));
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        let there = fs::symlink_metadata(&target).ok();
        if kind.is_dir() {
            if there.as_ref().is_some_and(|there| !there.is_dir()) {
                fs::remove_file(&target)?;
            }
            match fs::create_dir(&target) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => fs::set_permissions(&target, entry.metadata()?.permissions())?,
            }
            lay(&entry.path(), &target, depth - 1)?;
            continue;
        }
        match there {
            Some(there) if there.is_dir() => fs::remove_dir_all(&target)?,
            Some(_) => fs::remove_file(&target)?,
            None => {}
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::hard_link(entry.path(), &target).or_else(|_| fs::copy(entry.path(), &target).map(drop))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_lie_over_earlier_ones() {
        let home = tempfile::tempdir().expect("a folder");
        let layer = |name: &str, files: &[(&str, &str)]| {
            let folder = home.path().join(name);
            for (path, text) in files {
                let path = folder.join(path);
                fs::create_dir_all(path.parent().expect("a parent")).expect("made");
                fs::write(path, text).expect("written");
            }
            Content {
                sha256: name.to_owned(),
                folder,
            }
        };
        let a = layer(
            "a",
            &[("python/x.py", "a"), ("python/only.py", "a"), ("bin", "a file")],
        );
        let b = layer("b", &[("python/x.py", "b"), ("bin/tool", "b")]);
        let out = home.path().join("out");
        assert_eq!(merged(&out, &[]).expect("none"), None);
        assert_eq!(
            merged(&out, std::slice::from_ref(&a)).expect("one"),
            Some(a.folder.clone())
        );
        let both = merged(&out, &[a.clone(), b.clone()])
            .expect("merged")
            .expect("a folder");
        let text = |path: &str| fs::read_to_string(both.join(path)).expect(path);
        assert_eq!(
            (text("python/x.py"), text("python/only.py"), text("bin/tool")),
            ("b".into(), "a".into(), "b".into())
        );
        assert_eq!(
            merged(&out, &[a.clone(), b.clone()]).expect("again"),
            Some(both.clone())
        );
        let turned = merged(&out, &[b, a]).expect("merged").expect("a folder");
        assert_ne!(turned, both);
        assert_eq!(fs::read_to_string(turned.join("bin")).expect("a file"), "a file");
        for _ in 0..2 {
            sweep(&out).expect("nothing runs");
            assert!(!out.exists() && home.path().join("a/python/only.py").exists());
        }
    }
}
