//! Layers as tables: what goes in, what stands on disk or which words refuse it. Owners, devices and `trusted`
//! attributes need root, so these tests do too.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;

mod archive;
mod property;
mod refused;
use archive::*;

fn run(members: &[Member], root: &Path) -> Result<u64, String> {
    unpack(layer(members).as_slice(), root, 1000).map_err(|refusal| match refusal {
        Refusal::Hostile(why) | Refusal::Broken(why) => why,
        Refusal::Io(error) => format!("io: {error}"),
    })
}

/// Every path below `root` with a word on what it is.
fn tree(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(at) = pending.pop() {
        for entry in fs::read_dir(&at).expect("read_dir") {
            let path = entry.expect("entry").path();
            let name = path.strip_prefix(root).expect("below").display().to_string();
            let meta = path.symlink_metadata().expect("metadata");
            let kind = meta.file_type();
            lines.push(if kind.is_symlink() {
                format!("{name} -> {}", fs::read_link(&path).expect("link").display())
            } else if kind.is_dir() {
                pending.push(path.clone());
                let mut value = [0; 8];
                let opaque = rustix::fs::lgetxattr(&path, "trusted.overlay.opaque", &mut value);
                format!(
                    "{name}/{}",
                    if opaque == Ok(1) && value[0] == b'y' {
                        " opaque"
                    } else {
                        ""
                    }
                )
            } else if kind.is_char_device() {
                format!("{name} whiteout {:o} {}", meta.mode() & 0o7777, meta.rdev())
            } else if kind.is_fifo() {
                format!("{name} fifo")
            } else {
                format!("{name} = {}", fs::read_to_string(&path).expect("content"))
            });
        }
    }
    lines.sort();
    lines
}

fn check(what: &str, members: &[Member], expected: &[&str]) {
    let root = tempfile::tempdir().expect("tempdir");
    run(members, root.path()).unwrap_or_else(|why| panic!("{what}: {why}"));
    assert_eq!(tree(root.path()), expected, "{what}");
}

#[test]
fn layers_become_overlay_lowers() {
    check(
        "plain",
        &[
            dir("./"),
            dir("./a"),
            file("./a/b", "x"),
            symlink("a/s", "../../etc/passwd"),
        ],
        &["a/", "a/b = x", "a/s -> ../../etc/passwd"],
    );
    check(
        "parents are made",
        &[file("a/b/c", "x")],
        &["a/", "a/b/", "a/b/c = x"],
    );
    check("whiteout", &[file("a/.wh.b", "")], &["a/", "a/b whiteout 0 0"]);
    check(
        "opaque",
        &[dir("a"), file("a/.wh..wh..opq", ""), file("a/b", "x")],
        &["a/ opaque", "a/b = x"],
    );
    check(
        "opaque without its directory",
        &[file("a/.wh..wh..opq", "")],
        &["a/ opaque"],
    );
    check(
        "whiteout, then the file",
        &[file(".wh.b", ""), file("b", "x")],
        &["b = x"],
    );
    check(
        "the file, then its whiteout",
        &[file("b", "x"), file(".wh.b", "")],
        &["b = x"],
    );
    check(
        "whiteout, then the directory",
        &[file(".wh.b", ""), dir("b")],
        &["b/ opaque"],
    );
    check(
        "whiteout, then a file below",
        &[file(".wh.b", ""), file("b/c", "x")],
        &["b/ opaque", "b/c = x"],
    );
    check(
        "the directory, then its whiteout",
        &[file("b/c", "x"), file(".wh.b", "")],
        &["b/ opaque", "b/c = x"],
    );
    check(
        "hard link",
        &[file("d/a", "x"), hard("b", "d/a"), hard("c", "/d/a")],
        &["b = x", "c = x", "d/", "d/a = x"],
    );
    check(
        "the last of one name counts",
        &[file("a", "1"), file("a", "2")],
        &["a = 2"],
    );
    check(
        "a file in place of a directory",
        &[file("a/b/c", "1"), file("a", "2")],
        &["a = 2"],
    );
    check(
        "a directory in place of a link",
        &[symlink("a", "/etc"), dir("a"), file("a/b", "x")],
        &["a/", "a/b = x"],
    );
    check(
        "a file in place of a link",
        &[symlink("a", "/tmp/rs-victim"), file("a", "x")],
        &["a = x"],
    );
    check("fifo", &[member(b'6', "p")], &["p fifo"]);
    check(
        "dots inside",
        &[file("a/./b", "x"), file("a//c", "y")],
        &["a/", "a/b = x", "a/c = y"],
    );
    check(
        "bookkeeping of aufs",
        &[
            dir(".wh..wh.plnk"),
            file(".wh..wh.plnk/1", "x"),
            file(".wh..wh.aufs", ""),
        ],
        &[],
    );
    check(
        "pax names",
        &[pax(file("short", "x"), "path", b"a/really long one")],
        &["a/", "a/really long one = x"],
    );
    check(
        "a label of the builder",
        &[pax(file("a", "x"), "SCHILY.xattr.security.selinux", b"u:r")],
        &["a = x"],
    );
    check("empty", &[], &[]);
}

/// Names are bytes to the kernel, and to an image.
#[test]
fn names_that_are_no_utf8_are_kept() {
    use std::os::unix::ffi::OsStrExt;
    let root = tempfile::tempdir().expect("tempdir");
    let name = b"caf\xe9/\xff\xfe";
    run(&[pax(file("x", "content"), "path", name)], root.path()).expect("unpacks");
    let path = root.path().join(std::ffi::OsStr::from_bytes(name));
    assert_eq!(fs::read_to_string(path).expect("content"), "content");
}

/// A name that is given again does not write through to what shares its file.
#[test]
fn a_hard_linked_file_is_replaced_and_not_overwritten() {
    check(
        "a new file",
        &[file("a", "1"), hard("b", "a"), file("a", "2")],
        &["a = 2", "b = 1"],
    );
    check(
        "a new link",
        &[file("a", "1"), file("b", "2"), hard("b", "a"), hard("b", "a")],
        &["a = 1", "b = 1"],
    );
    check(
        "the target of a link",
        &[file("a", "1"), symlink("b", "a"), hard("c", "b"), file("b", "2")],
        &["a = 1", "b = 2", "c -> a"],
    );
}

/// A whiteout of what no layer has hides nothing, and says so to overlayfs alone.
#[test]
fn whiteouts_of_strangers_are_only_whiteouts() {
    check(
        "of the host's",
        &[
            file("etc/.wh.shadow", ""),
            file(".wh.proc", ""),
            file("dev/.wh.null", ""),
        ],
        &[
            "dev/",
            "dev/null whiteout 0 0",
            "etc/",
            "etc/shadow whiteout 0 0",
            "proc whiteout 0 0",
        ],
    );
    check(
        "of a symbolic link's name",
        &[symlink("a", "/etc"), file(".wh.a", "")],
        &["a -> /etc"],
    );
}

/// As deep as paths may be, and every level is there.
#[test]
fn deep_paths_up_to_the_bound_are_unpacked() {
    let root = tempfile::tempdir().expect("tempdir");
    let deep = "d/".repeat(255) + "f";
    run(&[pax(file("x", "deep"), "path", deep.as_bytes())], root.path()).expect("unpacks");
    assert_eq!(
        fs::read_to_string(root.path().join(deep)).expect("content"),
        "deep"
    );
}

#[test]
fn owners_modes_times_and_attributes_are_kept() {
    let root = tempfile::tempdir().expect("tempdir");
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let members = [
        Member {
            mode: 0o1777,
            ..dir("tmp")
        },
        Member {
            mode: 0o4755,
            ids: (12, 34),
            ..file("tmp/su", "x")
        },
        pax(
            pax(file("ping", "x"), "SCHILY.xattr.security.capability", &capability),
            "mtime",
            b"-1.25",
        ),
        Member {
            ids: (5, 6),
            ..symlink("s", "ping")
        },
        pax(file("big", "x"), "uid", b"3000000"),
        Member {
            mode: 0o700,
            ids: (7, 8),
            ..dir("./")
        },
    ];
    run(&members, root.path()).expect("unpacks");
    let meta = |name: &str| root.path().join(name).symlink_metadata().expect(name);
    assert_eq!(meta("tmp").permissions().mode() & 0o7777, 0o1777);
    assert_eq!(meta("tmp").mtime(), 1_000_000_000, "children must not touch it");
    let su = meta("tmp/su");
    assert_eq!(
        (su.mode() & 0o7777, su.uid(), su.gid(), su.mtime()),
        (0o4755, 12, 34, 1_000_000_000)
    );
    assert_eq!(
        (meta("ping").mtime(), meta("ping").mtime_nsec()),
        (-2, 750_000_000)
    );
    let mut value = [0; 32];
    let length =
        rustix::fs::lgetxattr(root.path().join("ping"), "security.capability", &mut value).expect("xattr");
    assert_eq!(value[..length], capability);
    assert_eq!(
        (meta("s").uid(), meta("s").gid(), meta("s").mtime()),
        (5, 6, 1_000_000_000)
    );
    assert_eq!(meta("big").uid(), 3_000_000);
    assert_eq!(
        (meta("").uid(), meta("").mode() & 0o7777, meta("").mtime()),
        (7, 0o700, 1_000_000_000)
    );
}

/// What the `tar` crate writes by itself: long names (GNU), numbers beyond octal, prefixes (POSIX).
#[test]
fn another_writers_archives_are_read() {
    let root = tempfile::tempdir().expect("tempdir");
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("{}/file", "n".repeat(150));
    let split = format!("{}/{}", "p".repeat(90), "q".repeat(90));
    for (mut header, path) in [
        (tar::Header::new_gnu(), &long),
        (tar::Header::new_ustar(), &split),
    ] {
        header.set_size(3);
        header.set_mode(0o600);
        header.set_mtime(5);
        header.set_uid(1000);
        header.set_gid(1000);
        builder
            .append_data(&mut header, path, &b"abc"[..])
            .expect("append");
    }
    let bytes = builder.into_inner().expect("finish");
    assert_eq!(unpack(bytes.as_slice(), root.path(), 10).expect("unpacks"), 2);
    for path in [long, split] {
        assert_eq!(
            fs::read_to_string(root.path().join(path)).expect("content"),
            "abc"
        );
    }
}
