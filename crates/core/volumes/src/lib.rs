//! The options of Docker's volume driver `local`, read for whoever registers a volume and for whoever mounts it. Pure.
//! Source: Docker's reference, "docker volume create", driver-specific options; mount(8) and tmpfs(5).

use std::collections::BTreeMap;

/// What a volume's files are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// A directory that the node keeps for the volume.
    #[default]
    Directory,
    /// A directory of the machine, which must be there.
    Bind { device: String, read_only: bool },
    /// Memory, for as long as a task uses the volume. `options` are those of mount(8).
    Memory { options: Vec<String>, read_only: bool },
}

/// Why options cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Docker would refuse it, too.
    #[error("{0}")]
    Invalid(String),
    /// Docker would do it: the option and its value.
    #[error("{0}")]
    Unsupported(String),
}

/// Of tmpfs, without a value.
const FLAGS: [&str; 16] = [
    "defaults",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "strictatime",
];

/// Reads `type`, `o` and `device`.
///
/// # Errors
/// [`Fault`] names the option.
pub fn storage(options: &BTreeMap<String, String>) -> Result<Storage, Fault> {
    if options.is_empty() {
        return Ok(Storage::Directory);
    }
    if let Some(size) = options.get("size") {
        // A quota of the file system below, which is none here.
        return Err(Fault::Unsupported(format!("size={size}")));
    }
    if let Some(name) = options
        .keys()
        .find(|name| !matches!(name.as_str(), "type" | "o" | "device"))
    {
        return Err(Fault::Invalid(format!("invalid option: {name:?}")));
    }
    let of = |name: &str| options.get(name).map(String::as_str).unwrap_or_default();
    for name in ["device", "type"] {
        if of(name).is_empty() {
            return Err(Fault::Invalid(format!("missing required option: {name:?}")));
        }
    }
    let mut wanted: Vec<&str> = of("o").split(',').filter(|option| !option.is_empty()).collect();
    let read_only = wanted.contains(&"ro");
    wanted.retain(|option| !matches!(*option, "ro" | "rw"));
    let binds = wanted.iter().any(|option| matches!(*option, "bind" | "rbind"));
    match of("type") {
        _ if binds => bind(of("device"), &wanted, read_only),
        "tmpfs" => memory(&wanted, read_only),
        other => Err(Fault::Unsupported(format!("type={other}"))),
    }
}

/// With what is mounted below it, as all that containers are shown of the machine.
fn bind(device: &str, options: &[&str], read_only: bool) -> Result<Storage, Fault> {
    if let Some(other) = options
        .iter()
        .find(|option| !matches!(**option, "bind" | "rbind" | "defaults"))
    {
        return Err(Fault::Unsupported(format!("o={other} with bind")));
    }
    if !device.starts_with('/') || device.contains('\0') || device.split('/').any(|part| part == "..") {
        return Err(Fault::Invalid(format!(
            "the device {device:?} of a bind is not an absolute path without '..'"
        )));
    }
    Ok(Storage::Bind {
        device: device.to_owned(),
        read_only,
    })
}

fn memory(options: &[&str], read_only: bool) -> Result<Storage, Fault> {
    for option in options {
        let good = match option.split_once('=') {
            None if FLAGS.contains(option) => true,
            Some((name @ ("size" | "mode" | "uid" | "gid" | "nr_inodes" | "nr_blocks"), value)) => {
                fits(name, value)
            }
            _ => return Err(Fault::Unsupported(format!("o={option} with tmpfs"))),
        };
        if !good {
            return Err(Fault::Invalid(format!("{option:?} is no value of a tmpfs")));
        }
    }
    Ok(Storage::Memory {
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        read_only,
    })
}

fn fits(name: &str, value: &str) -> bool {
    let number =
        |text: &str| !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    let scaled = |text: &str| number(text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(text));
    match name {
        "mode" => !value.is_empty() && value.len() <= 5 && value.bytes().all(|b| (b'0'..=b'7').contains(&b)),
        "uid" | "gid" => value.parse::<u32>().is_ok_and(|id| id < u32::MAX) && number(value),
        "size" => scaled(value) || value.strip_suffix('%').is_some_and(number),
        _ => scaled(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<Storage, Fault> {
        let owned = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        storage(&owned.collect())
    }

    fn of(kind: &str, device: &str, o: &str) -> Result<Storage, Fault> {
        read(&[("type", kind), ("device", device), ("o", o)])
    }

    #[test]
    fn options_say_where_a_volume_is() {
        let bind = |read_only| Storage::Bind {
            device: "/srv/a".into(),
            read_only,
        };
        let memory = |options: &[&str], read_only| Storage::Memory {
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            read_only,
        };
        assert_eq!(read(&[]), Ok(Storage::Directory));
        assert_eq!(of("none", "/srv/a", "bind"), Ok(bind(false)));
        assert_eq!(of("none", "/srv/a", "rbind,ro"), Ok(bind(true)));
        assert_eq!(of("none", "/srv/a", "bind,rw,defaults"), Ok(bind(false)));
        assert_eq!(of("tmpfs", "tmpfs", ""), Ok(memory(&[], false)));
        assert_eq!(
            read(&[("type", "tmpfs"), ("device", "tmpfs")]),
            Ok(memory(&[], false))
        );
        for o in [
            "size=100m,uid=1000",
            "size=50%,mode=1777,noexec",
            "nr_inodes=1k,gid=0",
        ] {
            let options: Vec<&str> = o.split(',').collect();
            assert_eq!(of("tmpfs", "tmpfs", o), Ok(memory(&options, false)));
            assert_eq!(
                of("tmpfs", "tmpfs", &format!("ro,{o}")),
                Ok(memory(&options, true))
            );
        }
    }

    #[test]
    fn what_cannot_be_is_told_from_what_is_not_done() {
        let unsupported = |what: &str| Err(Fault::Unsupported(what.to_owned()));
        assert_eq!(of("nfs", ":/srv", "addr=10.0.0.1,rw"), unsupported("type=nfs"));
        assert_eq!(of("ext4", "/dev/sdb", ""), unsupported("type=ext4"));
        assert_eq!(
            of("none", "/srv/a", "bind,rshared"),
            unsupported("o=rshared with bind")
        );
        assert_eq!(
            of("tmpfs", "tmpfs", "huge=always"),
            unsupported("o=huge=always with tmpfs")
        );
        assert_eq!(read(&[("size", "1g")]), unsupported("size=1g"));
        for (options, words) in [
            (&[("type", "tmpfs")][..], "missing required option: \"device\""),
            (
                &[("device", "/srv/a"), ("o", "bind")],
                "missing required option: \"type\"",
            ),
            (&[("colour", "red")], "invalid option: \"colour\""),
            (
                &[("type", "none"), ("device", "a"), ("o", "bind")],
                "absolute path",
            ),
            (
                &[("type", "none"), ("device", "/a/../b"), ("o", "bind")],
                "absolute path",
            ),
            (
                &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=much")],
                "size=much",
            ),
            (
                &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "mode=999")],
                "mode=999",
            ),
            (
                &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "uid=-1")],
                "uid=-1",
            ),
            (
                &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "uid=4294967295")],
                "uid=",
            ),
        ] {
            match read(options) {
                Err(Fault::Invalid(found)) => assert!(found.contains(words), "{found}"),
                other => panic!("{options:?}: {other:?}"),
            }
        }
    }
}
