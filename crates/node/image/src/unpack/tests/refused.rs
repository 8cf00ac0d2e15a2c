//! Layers that mean harm or are broken, and the words that refuse them.

use super::*;

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
