//! From compressed bytes to a layer in the store in one pass: decompress, measure, hash, unpack. Nothing is kept
//! unless every digest is right, and the bound on size holds for what comes out, not for what a header claims.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::error::{Context, is_full};
use crate::model::Compression;
use crate::room::{Reserved, Room};
use crate::store::{LayerRecord, Staging};
use crate::unpack::{Refusal, unpack};
use crate::zstd::Zstd;
use crate::{Digest, Error, Limits, Result};

/// What is left of an image's allowance, shared by its layers.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    left: Arc<AtomicU64>,
    unpacked_bytes: u64,
    layer_entries: u64,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            left: Arc::new(AtomicU64::new(limits.unpacked_bytes)),
            unpacked_bytes: limits.unpacked_bytes,
            layer_entries: limits.layer_entries,
        }
    }

    /// False when more was asked than is left.
    fn take(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

/// What a layer may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a> {
    pub(crate) budget: &'a Budget,
    pub(crate) room: &'a Room,
    /// May free so many bytes of the room when it is short.
    pub(crate) relief: &'a dyn Fn(u64),
}

/// Counts and hashes a tar stream.
struct Meter<'a, R> {
    reader: R,
    hasher: Sha256,
    size: u64,
    bounds: Bounds<'a>,
    reserved: Reserved<'a>,
    over: Option<Over>,
}

/// Which bound was met.
#[derive(Clone, Copy)]
enum Over {
    Image,
    Store,
}

impl<R: Read> Read for Meter<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        if !self.bounds.budget.take(got as u64) {
            self.over = Some(Over::Image);
        } else if let missing @ 1.. = self.reserved.more(got as u64) {
            (self.bounds.relief)(missing);
            if self.reserved.more(0) > 0 {
                self.over = Some(Over::Store);
            }
        }
        if self.over.is_some() {
            return Err(io::Error::other("the image is too large"));
        }
        self.size += got as u64;
        self.hasher.update(&buffer[..got]);
        Ok(got)
    }
}

/// Unpacks into `layer/fs` below `staging`. With `expected`, the stream must have that digest. What it took of the
/// store's room is to be kept once the layer is in place. Blocks.
pub(crate) fn unpack_layer<'a>(
    reader: impl Read,
    compression: Compression,
    staging: &Staging,
    expected: Option<&Digest>,
    label: &str,
    bounds: Bounds<'a>,
) -> Result<(LayerRecord, Reserved<'a>)> {
    let root = staging.path().join("layer/fs");
    std::fs::create_dir_all(&root).doing("create", &root)?;
    let reader: Box<dyn Read + '_> = match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Compression::Zstd => Box::new(Zstd::new(BufReader::new(reader)).doing("decompress", &root)?),
    };
    let mut meter = Meter {
        reader,
        hasher: Sha256::new(),
        size: 0,
        bounds,
        reserved: bounds.room.reserve(),
        over: None,
    };
    let entries = unpack(&mut meter, &root, bounds.budget.layer_entries);
    let what = format!("the unpacked content of {label}");
    match meter.over {
        Some(Over::Image) => {
            return Err(Error::TooLarge {
                what,
                limit: bounds.budget.unpacked_bytes,
                unit: "bytes",
            });
        }
        Some(Over::Store) => return Err(bounds.room.full(&what)),
        None => {}
    }
    let bad = |why: String| Error::BadLayer {
        layer: label.to_owned(),
        why,
    };
    let entries = entries.map_err(|refusal| match refusal {
        Refusal::Io(error) if is_full(&error) => Error::io("unpack", &root, error),
        Refusal::Io(error) => bad(error.to_string()),
        Refusal::Hostile(why) | Refusal::Broken(why) => bad(why),
    })?;
    let actual = Digest::from_hasher(meter.hasher);
    if let Some(expected) = expected
        && *expected != actual
    {
        let what = format!("the content of layer {label} (diff id)");
        return Err(Error::DigestMismatch {
            what,
            expected: expected.clone(),
            actual: actual.to_string(),
        });
    }
    let record = LayerRecord {
        diff_id: actual,
        size: meter.size,
        entries,
    };
    Ok((record, meter.reserved))
}
