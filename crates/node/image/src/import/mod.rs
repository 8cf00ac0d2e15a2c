//! Images that come as a file: from a build, from a machine without a registry, from a disk carried somewhere. Two
//! forms are in use, and `docker save` writes both into one tar; the OCI one is preferred since it keeps the
//! manifest, and with it the digest that the image has in registries.

mod docker;
mod layout;
mod source;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::images::{Inner, Ready};
use crate::layer::{Bounds, Budget, unpack_layer};
use crate::model::{Compression, Config, MAX_DOCUMENT};
use crate::{Digest, Error, Image, Reference, Result};
use source::Source;

/// Images taken from one archive.
const MAX_IMAGES: usize = 1000;

/// One image found in an archive, with what is needed to read its layers.
struct Found {
    references: Vec<Reference>,
    digest: Digest,
    manifest_digest: Digest,
    manifest: Vec<u8>,
    config_digest: Digest,
    config_bytes: Vec<u8>,
    config: Config,
    /// In the order of the configuration's diff ids.
    layers: Vec<LayerSource>,
}

/// Where a layer is in the archive.
struct LayerSource {
    path: String,
    compression: Compression,
    /// The digest of the bytes as they are in the archive, where the archive promises one.
    digest: Option<Digest>,
}

/// Imports every image of the archive that fits this node. What was imported before an error stays. Blocks.
pub(crate) fn import(inner: &Arc<Inner>, path: &Path, name: Option<Reference>) -> Result<Vec<Image>> {
    let refuse = |why: String| Error::BadArchive {
        path: path.to_owned(),
        why,
    };
    let staging = inner.store.stage()?;
    let source = Source::open(path, &staging, &inner.options.limits)?;
    let mut found = Vec::new();
    let is_layout = source.has("oci-layout")? && source.has("index.json")?;
    let is_docker = source.has("manifest.json")?;
    if is_layout {
        found = layout::read(&source, &inner.options.platform)?;
    }
    let named = name.is_some() || found.iter().any(|image| !image.references.is_empty());
    if is_docker && !(is_layout && named) {
        found = docker::read(&source)?;
    }
    if !is_layout && !is_docker {
        return Err(refuse(
            "it is neither an OCI layout (oci-layout, index.json) nor a docker-archive (manifest.json)"
                .to_owned(),
        ));
    }
    if let Some(name) = name {
        let [only] = found.as_mut_slice() else {
            return Err(refuse(format!(
                "it holds {} images, so one name cannot stand for them",
                found.len()
            )));
        };
        only.references = vec![name];
    }
    found.retain(|image| !image.references.is_empty());
    if found.is_empty() {
        return Err(refuse(
            "it does not say what its images are called; give a name".to_owned(),
        ));
    }
    if found.len() > MAX_IMAGES {
        return Err(Error::TooLarge {
            what: path.display().to_string(),
            limit: MAX_IMAGES as u64,
            unit: "images",
        });
    }
    let mut images = Vec::new();
    for image in found {
        let text = image.references[0].to_string();
        image.config.check_platform(&text, &inner.options.platform)?;
        images.extend(store(inner, &source, image, &text)?);
    }
    Ok(images)
}

fn store(inner: &Arc<Inner>, source: &Source, image: Found, text: &str) -> Result<Vec<Image>> {
    let _busy = inner.count_on(&image.config.diff_ids);
    inner.count_stored()?;
    let ready = Ready {
        references: image.references,
        digest: image.digest,
        manifest_digest: image.manifest_digest.clone(),
        diff_ids: image.config.lowers(),
        tracked: false,
        documents: vec![
            (image.config_digest, image.config_bytes),
            (image.manifest_digest, image.manifest),
        ],
    };
    // Another process may remove a layer between its unpacking and the naming; once more is enough in practice.
    for _ in 0..3 {
        let budget = Budget::new(&inner.options.limits);
        for (layer, diff_id) in image.layers.iter().zip(&image.config.diff_ids) {
            let lock = inner.layer_lock(diff_id);
            let _lock = lock.blocking_lock();
            if inner.store.layer(diff_id)?.is_none() {
                unpack(inner, source, layer, diff_id, &budget)?;
            }
        }
        if let Some(images) = inner.commit(&ready)? {
            return Ok(images);
        }
    }
    Err(Error::Damaged {
        reference: text.to_owned(),
        why: "its layers are removed as fast as they are unpacked".to_owned(),
    })
}

fn unpack(
    inner: &Inner,
    source: &Source,
    layer: &LayerSource,
    diff_id: &Digest,
    budget: &Budget,
) -> Result<()> {
    let staging = inner.store.stage()?;
    let label = layer.digest.as_ref().unwrap_or(diff_id).to_string();
    let mut reader = Hashing {
        reader: source.open_file(&layer.path)?,
        hasher: Sha256::new(),
    };
    let relief = |missing| inner.relieve(missing);
    let unpacked = unpack_layer(
        &mut reader,
        layer.compression,
        &staging,
        Some(diff_id),
        &label,
        Bounds {
            budget,
            room: &inner.room,
            relief: &relief,
        },
    );
    if let Some(expected) = &layer.digest
        && !matches!(
            unpacked,
            Err(Error::TooLarge { .. } | Error::NoSpace { .. } | Error::StoreFull { .. })
        )
    {
        // Damage explains whatever else went wrong, so that is looked at first.
        std::io::copy(&mut reader, &mut std::io::sink())
            .map_err(|error| source.broken(&layer.path, &error))?;
        let actual = Digest::from_hasher(reader.hasher);
        if actual != *expected {
            let what = format!("layer {label}");
            return Err(Error::DigestMismatch {
                what,
                expected: expected.clone(),
                actual: actual.to_string(),
            });
        }
    }
    let (record, reserved) = unpacked?;
    inner.store.commit_layer(&staging, &record)?;
    reserved.keep();
    Ok(())
}

struct Hashing<R> {
    reader: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        Ok(got)
    }
}

/// A document of the archive, bounded.
fn document(source: &Source, path: &str) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let reader = source.open_file(path)?;
    reader
        .take(MAX_DOCUMENT + 1)
        .read_to_end(&mut content)
        .map_err(|error| source.broken(path, &error))?;
    if content.len() as u64 > MAX_DOCUMENT {
        return Err(Error::TooLarge {
            what: path.to_owned(),
            limit: MAX_DOCUMENT,
            unit: "bytes",
        });
    }
    Ok(content)
}
