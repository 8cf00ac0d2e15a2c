//! Archives, good and bad.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;

use super::*;

/// An entry as it is to stand in an archive.
pub(crate) struct Packed<'a> {
    pub name: &'a str,
    pub data: &'a [u8],
    pub mode: u32,
    pub deflated: bool,
}

pub(crate) fn file<'a>(name: &'a str, data: &'a [u8]) -> Packed<'a> {
    Packed {
        name,
        data,
        mode: 0o100_644,
        deflated: true,
    }
}

/// An archive of these entries.
pub(crate) fn archive(entries: &[Packed<'_>]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let mut crc = Crc::new();
        crc.update(entry.data);
        let packed = match entry.deflated {
            false => entry.data.to_vec(),
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(entry.data).expect("in memory");
                encoder.finish().expect("in memory")
            }
        };
        let method: u16 = if entry.deflated { DEFLATED } else { STORED };
        let mut common = Vec::new();
        for half in [20, 0, method, 0, 0] {
            common.extend_from_slice(&u16::to_le_bytes(half));
        }
        for whole in [crc.sum(), packed.len() as u32, entry.data.len() as u32] {
            common.extend_from_slice(&whole.to_le_bytes());
        }
        for half in [entry.name.len() as u16, 0] {
            common.extend_from_slice(&half.to_le_bytes());
        }
        let at = out.len() as u32;
        out.extend_from_slice(LOCAL);
        out.extend_from_slice(&common);
        out.extend_from_slice(entry.name.as_bytes());
        out.extend_from_slice(&packed);
        directory.extend_from_slice(CENTRAL);
        directory.extend_from_slice(&[20, 3]);
        directory.extend_from_slice(&common);
        for half in [0_u16, 0, 0] {
            directory.extend_from_slice(&half.to_le_bytes());
        }
        directory.extend_from_slice(&(entry.mode << 16).to_le_bytes());
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let (start, size) = (out.len() as u32, directory.len() as u32);
    out.extend_from_slice(&directory);
    out.extend_from_slice(END);
    let count = entries.len() as u16;
    for half in [0, 0, count, count] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

fn opened(bytes: &[u8]) -> Result<Vec<(String, Kind, Vec<u8>)>, Fault> {
    let archive = Archive::open(bytes, 1000)?;
    let read = |(path, entry): (&String, &Entry)| {
        let data = match entry.kind {
            Kind::Folder => Vec::new(),
            _ => archive.read(path, entry)?,
        };
        Ok((path.clone(), entry.kind, data))
    };
    archive.entries.iter().map(read).collect()
}

#[test]
fn files_folders_and_links_are_read() {
    let script = Packed {
        mode: 0o100_755,
        ..file("bin/run", b"#!/bin/sh")
    };
    let link = Packed {
        mode: 0o120_777,
        deflated: false,
        ..file("lib/python", b"../bin")
    };
    let folder = Packed {
        mode: 0o040_755,
        deflated: false,
        ..file("empty/", b"")
    };
    let from_windows = Packed {
        mode: 0,
        ..file("./a.py", b"x = 1")
    };
    let plain = Kind::File { executable: false };
    assert_eq!(
        opened(&archive(&[script, link, folder, from_windows])).expect("an archive"),
        [
            ("a.py".into(), plain, b"x = 1".to_vec()),
            (
                "bin/run".into(),
                Kind::File { executable: true },
                b"#!/bin/sh".to_vec()
            ),
            ("empty".into(), Kind::Folder, Vec::new()),
            ("lib/python".into(), Kind::Link, b"../bin".to_vec()),
        ]
    );
    let twice = archive(&[file("a", b"first"), file("a", b"second")]);
    assert_eq!(
        opened(&twice).expect("an archive"),
        [("a".into(), plain, b"second".to_vec())]
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let good = || archive(&[file("a", b"0123456789")]);
    let patched = |at: usize, bytes: &[u8]| {
        let mut broken = good();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        broken
    };
    let central = good()
        .windows(4)
        .position(|four| four == CENTRAL)
        .expect("a directory");
    let long = "x".repeat(300);
    for (bytes, words) in [
        (Vec::new(), "its end is missing"),
        (b"PK not really".to_vec(), "its end is missing"),
        (archive(&[]), "nothing in it"),
        (
            archive(&[Packed {
                mode: 0o040_755,
                ..file("only/", b"")
            }]),
            "nothing in it",
        ),
        (
            archive(&[file("../a", b"x")]),
            "entry \"../a\" at byte 0: its path leads out of the archive",
        ),
        (archive(&[file("a/../../b", b"x")]), "leads out"),
        (archive(&[file("/etc/passwd", b"x")]), "its path is absolute"),
        (archive(&[file("a\0b", b"x")]), "its path is none"),
        (archive(&[file(&long, b"x")]), "its path is none"),
        (
            archive(&[file("a", b"x"), file("a/b", b"x")]),
            "\"a\" is not a folder",
        ),
        (
            archive(&[
                Packed {
                    mode: 0o120_777,
                    ..file("a", b"/etc")
                },
                file("a/passwd", b"x"),
            ]),
            "\"a\" is not a folder",
        ),
        (
            archive(&[Packed {
                mode: 0o060_644,
                ..file("dev", b"")
            }]),
            "neither a file nor a folder",
        ),
        (
            archive(&[file("a", &[0; 600]), file("b", &[0; 600])]),
            "more than 1000 bytes",
        ),
        // The directory says another size, checksum, method, place, or that it is encrypted.
        (
            patched(central + 24, &[9]),
            "its size is not what the directory says",
        ),
        (
            patched(central + 24, &[11]),
            "its size is not what the directory says",
        ),
        (
            patched(central + 16, &[0, 0, 0, 0]),
            "its checksum is not what the directory says",
        ),
        (patched(central + 10, &[12]), "neither stored nor deflated"),
        (
            patched(central + 42, &[9]),
            "it is not where the directory says it is",
        ),
        (patched(central + 8, &[1]), "it is encrypted"),
        (patched(central + 20, &[255, 255, 0, 0]), "it ends too early"),
    ] {
        let fault = opened(&bytes).expect_err(words);
        assert!(fault.to_string().contains(words), "{fault} is not {words}");
    }
}

proptest! {
    /// Whatever is sent, nothing leaves the folder and nothing is larger than it may be.
    #[test]
    fn broken_archives_stay_within_bounds(
        data in proptest::collection::vec(any::<u8>(), 0..200),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = archive(&[file("a/b", &data), file("c", b"more")]);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(entries) = opened(&bytes) {
            for (path, _, data) in entries {
                prop_assert!(!path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                prop_assert!(data.len() <= 1000);
            }
        }
    }
}
