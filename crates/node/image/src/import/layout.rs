//! The OCI image layout: `index.json` lists manifests, everything lies under its digest.

use serde::Deserialize;

use super::source::Source;
use super::{Found, LayerSource, document};
use crate::model::{Compression, Descriptor, Document, Manifest, choose, parse_config, parse_document};
use crate::{Digest, Error, Platform, Reference, Result};

/// The annotation of containerd and BuildKit: a whole reference.
const FULL_NAME: &str = "io.containerd.image.name";
/// The annotation of the specification: a reference, or only a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MAX_NESTING: u32 = 2;

/// Every image of the layout that is for `platform`, with the names it gives them.
pub(super) fn read(source: &Source, platform: &Platform) -> Result<Vec<Found>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        image_layout_version: String,
    }
    let version: Version = serde_json::from_slice(&document(source, "oci-layout")?)
        .map_err(|error| source.refuse(format!("oci-layout: {error}")))?;
    if version.image_layout_version != "1.0.0" {
        let version = crate::digest::clip(&version.image_layout_version);
        return Err(source.refuse(format!("image layout version '{version}' is not known")));
    }
    let label = source.label();
    let Document::Index(entries) = parse_document(&label, &document(source, "index.json")?, None)? else {
        return Err(source.refuse("index.json is not an index".to_owned()));
    };
    let fits = |entry: &&Descriptor| entry.platform.as_ref().is_none_or(|p| p.fits(platform));
    let fitting: Vec<&Descriptor> = entries.iter().filter(fits).collect();
    if fitting.is_empty() && !entries.is_empty() {
        choose(&label, &entries, platform)?;
    }
    let mut found: Vec<Found> = Vec::new();
    for entry in fitting {
        let names = names(entry)?;
        // One image with several names is listed several times.
        match found.iter_mut().find(|image| image.digest == entry.digest) {
            Some(image) => image.references.extend(names),
            None => found.push(image(source, entry, names, platform)?),
        }
    }
    Ok(found)
}

fn names(entry: &Descriptor) -> Result<Vec<Reference>> {
    if let Some(full) = entry.annotations.get(FULL_NAME) {
        return Ok(vec![Reference::parse(full)?]);
    }
    // A bare word is a tag of a repository that is not named.
    match entry
        .annotations
        .get(REF_NAME)
        .filter(|name| name.contains([':', '/']))
    {
        Some(name) => Ok(vec![Reference::parse(name)?]),
        None => Ok(Vec::new()),
    }
}

fn image(
    source: &Source,
    entry: &Descriptor,
    references: Vec<Reference>,
    platform: &Platform,
) -> Result<Found> {
    let label = references
        .first()
        .map_or_else(|| source.label(), ToString::to_string);
    let (manifest_digest, bytes, manifest) = resolve(source, &label, entry, platform)?;
    let config_bytes = blob(source, &manifest.config.digest)?;
    let config = parse_config(&label, &config_bytes, manifest.layers.len())?;
    let layer = |layer: &Descriptor| {
        let compression = Compression::of(&label, layer)?;
        Ok(LayerSource {
            path: blob_path(&layer.digest),
            compression,
            digest: Some(layer.digest.clone()),
        })
    };
    Ok(Found {
        references,
        digest: entry.digest.clone(),
        manifest_digest,
        manifest: bytes,
        config_digest: manifest.config.digest.clone(),
        config_bytes,
        config,
        layers: manifest.layers.iter().map(layer).collect::<Result<_>>()?,
    })
}

fn resolve(
    source: &Source,
    label: &str,
    entry: &Descriptor,
    platform: &Platform,
) -> Result<(Digest, Vec<u8>, Manifest)> {
    let mut entry = entry.clone();
    for _ in 0..=MAX_NESTING {
        let bytes = blob(source, &entry.digest)?;
        match parse_document(label, &bytes, Some(&entry.media_type))? {
            Document::Image(manifest) => return Ok((entry.digest, bytes, manifest)),
            Document::Index(entries) => entry = choose(label, &entries, platform)?.clone(),
        }
    }
    Err(Error::BadManifest {
        reference: label.to_owned(),
        why: "its indexes list indexes without end".to_owned(),
    })
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn blob(source: &Source, digest: &Digest) -> Result<Vec<u8>> {
    let bytes = document(source, &blob_path(digest))?;
    let actual = Digest::of(&bytes);
    if actual == *digest {
        return Ok(bytes);
    }
    Err(Error::DigestMismatch {
        what: format!("blob {digest}"),
        expected: digest.clone(),
        actual: actual.to_string(),
    })
}
