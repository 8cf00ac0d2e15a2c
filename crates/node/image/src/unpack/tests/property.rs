//! Whatever a layer says, in whichever order: nothing outside its directory changes, and no node of it is a device.

use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 10] = [
    "a",
    "b",
    "c",
    "..",
    ".",
    "",
    ".wh.a",
    ".wh.b",
    ".wh..wh..opq",
    ".wh..",
];

#[derive(Clone, Debug)]
struct Sketch {
    flag: u8,
    path: Vec<usize>,
    target: Vec<usize>,
    /// Links may also lead to what must not be touched.
    out: bool,
    absolute: bool,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let names = || proptest::collection::vec(0..NAMES.len(), 1..4);
    let flag = prop_oneof![
        4 => Just(b'0'),
        3 => Just(b'5'),
        3 => Just(b'2'),
        3 => Just(b'1'),
        1 => Just(b'3'),
        1 => Just(b'6'),
    ];
    (flag, names(), names(), any::<bool>(), any::<bool>()).prop_map(|(flag, path, target, out, absolute)| {
        Sketch {
            flag,
            path,
            target,
            out,
            absolute,
        }
    })
}

fn join(names: &[usize]) -> String {
    let names: Vec<&str> = names.iter().map(|name| NAMES[*name]).collect();
    names.join("/")
}

fn made(sketches: &[Sketch], victim: &Path) -> Vec<Member> {
    let made = |sketch: &Sketch| {
        let outside = match sketch.absolute {
            true => victim.display().to_string(),
            false => "../victim".to_owned(),
        };
        let link = match (sketch.out, sketch.path.len() % 2) {
            (true, 0) => outside,
            (true, _) => format!("{outside}/file"),
            (false, _) => join(&sketch.target),
        };
        let path = join(&sketch.path);
        Member {
            link,
            mode: 0o777,
            ids: (7, 7),
            data: if sketch.flag == b'0' {
                b"overwritten".to_vec()
            } else {
                Vec::new()
            },
            ..member(
                sketch.flag,
                if sketch.absolute && sketch.out {
                    "a/b"
                } else {
                    &path
                },
            )
        }
    };
    sketches.iter().map(made).collect()
}

/// All that could be changed about the file and the directory that must not be.
fn state(victim: &Path) -> Vec<(u32, u32, u64, i64, Vec<u8>)> {
    let of = |path: &Path| {
        let meta = path.symlink_metadata().expect("is there");
        let content = if meta.is_dir() {
            let names = fs::read_dir(path).expect("lists");
            format!(
                "{:?}",
                names
                    .map(|name| name.expect("a name").file_name())
                    .collect::<Vec<_>>()
            )
            .into_bytes()
        } else {
            fs::read(path).expect("reads")
        };
        (meta.mode(), meta.uid(), meta.nlink(), meta.mtime(), content)
    };
    vec![of(victim), of(&victim.join("file"))]
}

fn check_kinds(root: &Path) {
    let mut pending = vec![root.to_owned()];
    while let Some(at) = pending.pop() {
        for entry in fs::read_dir(&at).expect("lists") {
            let path = entry.expect("an entry").path();
            let meta = path.symlink_metadata().expect("is there");
            assert!(!meta.file_type().is_block_device(), "{}", path.display());
            assert!(
                !meta.file_type().is_char_device() || meta.rdev() == 0,
                "{}",
                path.display()
            );
            if meta.is_dir() {
                pending.push(path);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_the_layer_changes(sketches in proptest::collection::vec(sketch(), 1..14)) {
        let base = tempfile::tempdir().expect("tempdir");
        let (root, victim) = (base.path().join("root"), base.path().join("victim"));
        fs::create_dir(&root).expect("creates");
        fs::create_dir(&victim).expect("creates");
        fs::write(victim.join("file"), "precious").expect("writes");
        let before = state(&victim);
        // Each prefix is a layer of its own: one refused entry hides none of those before it.
        let members = made(&sketches, &victim);
        let mut accepted: Vec<Member> = Vec::new();
        for member in members {
            accepted.push(member);
            let _ = fs::remove_dir_all(&root);
            fs::create_dir(&root).expect("creates");
            if run(&accepted, &root).is_err() {
                accepted.pop();
            }
            prop_assert_eq!(state(&victim), before.clone());
            check_kinds(&root);
        }
    }

    /// A damaged archive ends in an error or in files, and never in a panic.
    #[test]
    fn damage_is_an_error(
        sketches in proptest::collection::vec(sketch(), 1..6),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let base = tempfile::tempdir().expect("tempdir");
        let (root, victim) = (base.path().join("root"), base.path().join("victim"));
        fs::create_dir(&root).expect("creates");
        fs::create_dir(&victim).expect("creates");
        fs::write(victim.join("file"), "precious").expect("writes");
        let before = state(&victim);
        let mut bytes = layer(&made(&sketches, &victim));
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // The checksum is made right again, so that the damage is seen by what comes after it.
        for block in bytes.chunks_mut(512).filter(|block| block.len() == 512 && block[257..262] == *b"ustar") {
            let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
            let field: u32 = block[148..156].iter().map(|b| u32::from(*b)).sum();
            let text = format!("{:06o}\0 ", sum - field + 8 * 32);
            block[148..156].copy_from_slice(text.as_bytes());
        }
        let _ = unpack(bytes.as_slice(), &root, 100);
        prop_assert_eq!(state(&victim), before);
        check_kinds(&root);
    }
}
