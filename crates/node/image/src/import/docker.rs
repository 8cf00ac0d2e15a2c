//! The docker-archive: `manifest.json` names a configuration and plain tar files. It has no manifest in the sense of
//! registries, so one is made, the same one each time for the same image.

use std::io::Read;

use serde::Deserialize;

use super::source::Source;
use super::{Found, LayerSource, document};
use crate::model::{
    Compression, Descriptor, MAX_LAYERS, Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, parse_config,
};
use crate::{Digest, Error, Reference, Result};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Every image of the archive, also those without a name.
pub(super) fn read(source: &Source) -> Result<Vec<Found>> {
    let items: Vec<Item> = serde_json::from_slice(&document(source, "manifest.json")?)
        .map_err(|error| source.refuse(format!("manifest.json: {error}")))?;
    items.into_iter().map(|item| image(source, item)).collect()
}

fn image(source: &Source, item: Item) -> Result<Found> {
    let tags = item.repo_tags.unwrap_or_default();
    let references = tags
        .iter()
        .map(|tag| Reference::parse(tag))
        .collect::<Result<Vec<_>>>()?;
    let label = references
        .first()
        .map_or_else(|| source.label(), ToString::to_string);
    if item.layers.is_empty() || item.layers.len() > MAX_LAYERS {
        let why = format!("it has {} layers, not 1 to {MAX_LAYERS}", item.layers.len());
        return Err(Error::BadManifest {
            reference: label,
            why,
        });
    }
    let config_bytes = document(source, &item.config)?;
    let config = parse_config(&label, &config_bytes, item.layers.len())?;
    let config_digest = Digest::of(&config_bytes);
    let describe = |media_type: &str, digest: &Digest, size: u64| Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.clone(),
        size,
        platform: None,
        annotations: Default::default(),
    };
    let mut layers = Vec::new();
    let mut described = Vec::new();
    for (path, diff_id) in item.layers.into_iter().zip(&config.diff_ids) {
        described.push(describe(OCI_LAYER, diff_id, source.size(&path)?));
        layers.push(LayerSource {
            compression: sniff(source, &path)?,
            path,
            digest: None,
        });
    }
    let manifest = Manifest {
        schema_version: 2,
        media_type: OCI_MANIFEST.to_owned(),
        config: describe(OCI_CONFIG, &config_digest, config_bytes.len() as u64),
        layers: described,
    };
    let manifest = serde_json::to_vec(&manifest).map_err(|error| source.refuse(error.to_string()))?;
    let digest = Digest::of(&manifest);
    Ok(Found {
        references,
        digest: digest.clone(),
        manifest_digest: digest,
        manifest,
        config_digest,
        config_bytes,
        config,
        layers,
    })
}

/// The archive does not say how its layers are compressed.
fn sniff(source: &Source, path: &str) -> Result<Compression> {
    let mut magic = [0; 4];
    let reader = source.open_file(path)?;
    let mut head = Vec::new();
    reader
        .take(4)
        .read_to_end(&mut head)
        .map_err(|error| source.broken(path, &error))?;
    magic[..head.len()].copy_from_slice(&head);
    match magic {
        [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
        crate::zstd::MAGIC => Ok(Compression::Zstd),
        _ => Ok(Compression::None),
    }
}
