//! An image like those that people run: a base, packages, an application; mostly files of a few kilobytes, some of
//! megabytes. The same bytes each time, from a generator with a fixed seed.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Shares of the image's size, in hundredths, bottom first.
pub(super) const LAYERS: [u64; 7] = [28, 30, 18, 11, 8, 4, 1];

pub(super) struct Made {
    pub(super) files: u64,
    pub(super) layers: usize,
    pub(super) bytes: u64,
    pub(super) compressed: u64,
}

/// Writes an OCI layout with the image as `latest`.
pub(super) fn write(layout: &Path, bytes: u64) -> Result<Made> {
    fs::create_dir_all(layout.join("blobs/sha256"))?;
    let mut random = Random(0x5eed);
    let words = words(&mut random);
    let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
    let mut made = Made {
        files: 0,
        layers: LAYERS.len(),
        bytes: 0,
        compressed: 0,
    };
    for (index, share) in LAYERS.iter().enumerate() {
        let tar = layer(index, bytes * share / 100, &mut random, &words, &mut made.files)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&tar)?;
        let compressed = encoder.finish()?;
        made.bytes += tar.len() as u64;
        made.compressed += compressed.len() as u64;
        diff_ids.push(digest(&tar));
        descriptors.push(blob(
            layout,
            "application/vnd.oci.image.layer.v1.tar+gzip",
            &compressed,
        )?);
    }
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, "os": "linux",
        "config": {"Cmd": ["/bin/true"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = blob(
        layout,
        "application/vnd.oci.image.config.v1+json",
        config.to_string().as_bytes(),
    )?;
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": descriptors});
    let mut entry = blob(layout, manifest_type, manifest.to_string().as_bytes())?;
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?;
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(layout.join("index.json"), index.to_string())?;
    Ok(made)
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

fn blob(layout: &Path, kind: &str, bytes: &[u8]) -> Result<Value> {
    let digest = digest(bytes);
    let hex = digest.split(':').next_back().context("a digest")?;
    fs::write(layout.join("blobs/sha256").join(hex), bytes)?;
    Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
}

fn layer(
    index: usize,
    bytes: u64,
    random: &mut Random,
    words: &[Vec<u8>],
    files: &mut u64,
) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let header = |kind, mode, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    let (mut written, mut in_folder, mut folder) = (0, 0, String::new());
    while written < bytes {
        if in_folder == 0 {
            in_folder = 1 + random.below(24);
            folder = format!("usr/lib/l{index}/p{}/d{}", random.below(60), random.below(1000));
            let mut dir = header(tar::EntryType::Directory, 0o755, 0);
            builder.append_data(&mut dir, format!("{folder}/"), std::io::empty())?;
        }
        in_folder -= 1;
        *files += 1;
        let size = size(random).min(bytes - written);
        let path = format!("{folder}/f{files}");
        let content = content(size as usize, random, words);
        let mode = if random.below(8) == 0 { 0o755 } else { 0o644 };
        let mut file = header(tar::EntryType::Regular, mode, content.len() as u64);
        builder.append_data(&mut file, path, content.as_slice())?;
        written += size + 512;
    }
    Ok(builder.into_inner()?)
}

/// From hundreds of bytes to megabytes: half of the files below 4 kB, half of the bytes in files above 200 kB.
fn size(random: &mut Random) -> u64 {
    match random.below(100) {
        0..45 => 200 + random.below(3_800),
        45..80 => 4_000 + random.below(16_000),
        80..95 => 20_000 + random.below(80_000),
        95..99 => 100_000 + random.below(700_000),
        _ => 1_000_000 + random.below(3_000_000),
    }
}

/// Words as in texts, with bytes between them as in programs.
fn content(size: usize, random: &mut Random, words: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(size + 64);
    while out.len() < size {
        match random.below(9) {
            0 => out.extend_from_slice(&random.next().to_le_bytes()[..6]),
            _ => {
                // Small numbers are likelier, as frequent words are.
                let pick = random
                    .below(words.len() as u64)
                    .min(random.below(words.len() as u64));
                out.extend_from_slice(&words[pick as usize]);
            }
        }
    }
    out.truncate(size);
    out
}

fn words(random: &mut Random) -> Vec<Vec<u8>> {
    let mut word = || {
        let length = 2 + random.below(9);
        let mut word: Vec<u8> = (0..length).map(|_| b'a' + random.below(26) as u8).collect();
        word.push(b' ');
        word
    };
    (0..4000).map(|_| word()).collect()
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }
}
