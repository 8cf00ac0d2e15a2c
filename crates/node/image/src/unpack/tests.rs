//! Layers as tables: what goes in, what stands on disk or which words refuse it. Owners, devices and `trusted`
//! attributes need root, so these tests do too.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;

mod archive;
mod property;
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

#[test]
fn hostile_layers_are_refused() {
    let deep = "d/".repeat(257);
    for (what, members, words) in [
        ("up", vec![file("../x", "")], "leads out of the layer"),
        ("up inside", vec![file("a/../../x", "")], "leads out of the layer"),
        (
            "up that stays inside",
            vec![file("a/../x", "")],
            "leads out of the layer",
        ),
        ("absolute", vec![file("/etc/x", "")], "absolute path"),
        (
            "through a link",
            vec![symlink("a", "/tmp"), file("a/x", "")],
            "symbolic link",
        ),
        (
            "through a link inside",
            vec![dir("b"), symlink("a", "b"), file("a/x", "")],
            "symbolic link",
        ),
        (
            "through a deeper link",
            vec![dir("d"), symlink("d/a", "/"), file("d/a/b/x", "")],
            "symbolic link",
        ),
        (
            "whiteout through a link",
            vec![symlink("a", "/tmp"), file("a/.wh.x", "")],
            "symbolic link",
        ),
        (
            "opaque through a link",
            vec![symlink("a", "/tmp"), file("a/.wh..wh..opq", "")],
            "symbolic link",
        ),
        ("hard link up", vec![hard("a", "../x")], "leads out of the layer"),
        (
            "hard link to the host",
            vec![hard("a", "/etc/passwd")],
            "does not carry",
        ),
        (
            "hard link through a link",
            vec![symlink("s", "/etc"), hard("a", "s/passwd")],
            "does not carry",
        ),
        (
            "hard link through a deeper link",
            vec![symlink("s", "/"), hard("a", "s/etc/passwd")],
            "symbolic link",
        ),
        (
            "hard link to a directory",
            vec![dir("d"), hard("a", "d")],
            "a directory",
        ),
        (
            "hard link to itself",
            vec![file("a", ""), hard("a", "a")],
            "itself",
        ),
        (
            "hard link below itself",
            vec![file("d/a", ""), hard("d", "d/a")],
            "below itself",
        ),
        (
            "hard link to a whiteout",
            vec![file(".wh.w", ""), hard("a", "w")],
            "does not carry",
        ),
        ("character device", vec![member(b'3', "dev/null")], "device nodes"),
        ("block device", vec![member(b'4', "dev/sda")], "device nodes"),
        ("sparse", vec![member(b'S', "s")], "sparse"),
        (
            "pax sparse",
            vec![pax(file("s", ""), "GNU.sparse.major", b"1")],
            "sparse",
        ),
        ("unknown type", vec![member(b'V', "volume")], "type 'V'"),
        ("whiteout of nothing", vec![file(".wh.", "")], "no valid whiteout"),
        (
            "whiteout of the parent",
            vec![file("a/.wh...", "")],
            "no valid whiteout",
        ),
        ("below a whiteout", vec![file(".wh.a/b", "")], "below a whiteout"),
        (
            "file as directory",
            vec![file("a", ""), file("a/b", "")],
            "is a file",
        ),
        ("root as a file", vec![file(".", "x")], "root of the layer"),
        (
            "too deep",
            vec![pax(file("x", ""), "path", deep.as_bytes())],
            "levels deep",
        ),
        (
            "overlay redirect",
            vec![pax(dir("a"), "SCHILY.xattr.trusted.overlay.redirect", b"/x")],
            "not allowed",
        ),
        (
            "user overlay",
            vec![pax(dir("a"), "SCHILY.xattr.user.overlay.opaque", b"y")],
            "not allowed",
        ),
        (
            "zero in a name",
            vec![pax(file("x", ""), "path", b"a\0b")],
            "zero byte",
        ),
        (
            "negative size",
            vec![pax(file("x", ""), "size", b"-1")],
            "no number",
        ),
        (
            "uid of nobody at all",
            vec![pax(file("x", ""), "uid", b"4294967295")],
            "uid",
        ),
        ("an empty link", vec![symlink("a", "")], "nowhere"),
        (
            "hard link to nothing",
            vec![hard("a", "b")],
            "which this layer does not carry",
        ),
        (
            "hard link to what comes later",
            vec![hard("a", "b"), file("b", "")],
            "which this layer does not carry",
        ),
        (
            "a forged whiteout",
            vec![member(b'3', "etc/passwd")],
            "device nodes",
        ),
        (
            "a name beyond the file system's",
            vec![pax(file("x", ""), "path", "n".repeat(256).as_bytes())],
            "name too long",
        ),
        (
            "a path beyond the kernel's",
            vec![pax(file("x", ""), "path", "d/".repeat(2048).as_bytes())],
            "more than 4095 bytes",
        ),
        (
            "an attribute of the system's own",
            vec![pax(file("a", ""), "SCHILY.xattr.security.selinux.x", b"x")],
            "not allowed",
        ),
        (
            "a trusted attribute",
            vec![pax(file("a", ""), "SCHILY.xattr.trusted.x", b"x")],
            "not allowed",
        ),
        (
            "an attribute larger than the kernel takes",
            vec![pax(file("a", ""), "SCHILY.xattr.user.x", &[b'x'; 70_000])],
            "a: ",
        ),
        (
            "a file of more than there is",
            vec![pax(file("a", "x"), "size", b"9223372036854775807")],
            "ends inside a file",
        ),
    ] {
        let root = tempfile::tempdir().expect("tempdir");
        match run(&members, root.path()) {
            Ok(_) => panic!("{what} was unpacked: {:?}", tree(root.path())),
            Err(why) => assert!(why.contains(words), "{what}: '{why}' lacks '{words}'"),
        }
    }
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
fn broken_streams_are_refused() {
    let whole = layer(&[file("a", &"x".repeat(2000))]);
    let mut bad_sum = whole.clone();
    bad_sum[0] = b'b';
    let mut huge = layer(&[member(b'L', "././@LongLink")]);
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&huge[..512]);
    header.set_size(1 << 40);
    header.set_cksum();
    huge[..512].copy_from_slice(header.as_bytes());
    for (what, bytes, words) in [
        ("cut in a header", whole[..100].to_vec(), "inside a header"),
        ("cut in a file", whole[..1500].to_vec(), "inside a file"),
        ("checksum", bad_sum, "checksum"),
        ("a name of a terabyte", huge, "extended header of"),
        ("noise", vec![7; 2048], "number"),
    ] {
        let root = tempfile::tempdir().expect("tempdir");
        match unpack(bytes.as_slice(), root.path(), 10) {
            Err(Refusal::Broken(why)) => assert!(why.contains(words), "{what}: {why}"),
            Err(Refusal::Io(error)) => assert!(error.to_string().contains(words), "{what}: {error}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    let root = tempfile::tempdir().expect("tempdir");
    let many: Vec<Member> = (0..11).map(|n| file(&format!("f{n}"), "")).collect();
    let outcome = unpack(layer(&many).as_slice(), root.path(), 10);
    assert!(matches!(outcome, Err(Refusal::Hostile(why)) if why.contains("more than 10 entries")));
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
