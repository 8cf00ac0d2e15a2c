//! Manifests and configurations come from strangers. They are read leniently in form (Docker writes `null` for an
//! empty list) and strictly in meaning: a document that could be read as two kinds of thing is refused, since one
//! reader would verify what another one runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, Error, Platform, Result};

/// Longest manifest, index or configuration, in bytes.
pub(crate) const MAX_DOCUMENT: u64 = 4 << 20;
/// Most layers of one image.
pub(crate) const MAX_LAYERS: usize = 127;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// What a registry is asked for.
pub(crate) const ACCEPT: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<DescriptorPlatform>,
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DescriptorPlatform {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

/// One image for one platform.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    pub(crate) media_type: String,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// What a reference leads to.
#[derive(Debug)]
pub(crate) enum Document {
    Image(Manifest),
    Index(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

/// Reads a manifest or an index. `content_type` is the transport's word, used where the document says nothing.
pub(crate) fn parse_document(reference: &str, bytes: &[u8], content_type: Option<&str>) -> Result<Document> {
    let bad = |why: String| Error::BadManifest {
        reference: reference.to_owned(),
        why,
    };
    let unsupported = |what: String| Error::Unsupported {
        reference: reference.to_owned(),
        what,
    };
    let raw: RawDocument = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if raw.schema_version == 1 || raw.fs_layers.is_some() {
        return Err(unsupported("a manifest of schema version 1".to_owned()));
    }
    if raw.schema_version != 2 {
        return Err(bad(format!("schemaVersion is {}, not 2", raw.schema_version)));
    }
    let declared = raw.media_type.as_deref().or(content_type).unwrap_or_default();
    match (raw.config, raw.layers, raw.manifests) {
        (Some(config), Some(layers), None) => {
            let media_type = match declared {
                OCI_MANIFEST | DOCKER_MANIFEST => declared.to_owned(),
                "" | "application/json" => OCI_MANIFEST.to_owned(),
                other => return Err(unsupported(format!("an image manifest of type '{other}'"))),
            };
            if !matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG) {
                return Err(unsupported(format!(
                    "a configuration of type '{}'",
                    config.media_type
                )));
            }
            if layers.len() > MAX_LAYERS {
                let what = format!("the list of {} layers of {reference}", layers.len());
                return Err(Error::TooLarge {
                    what,
                    limit: MAX_LAYERS as u64,
                    unit: "layers",
                });
            }
            if layers.is_empty() {
                return Err(bad("it has no layers, so there is nothing to run".to_owned()));
            }
            Ok(Document::Image(Manifest {
                schema_version: 2,
                media_type,
                config,
                layers,
            }))
        }
        (None, None, Some(manifests)) => match declared {
            OCI_INDEX | DOCKER_LIST | "" | "application/json" => Ok(Document::Index(manifests)),
            other => Err(unsupported(format!("an index of type '{other}'"))),
        },
        _ => Err(bad(
            "it is neither an image (config and layers) nor an index (manifests)".to_owned(),
        )),
    }
}

/// How the bytes of a layer become a tar stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub(crate) fn of(reference: &str, layer: &Descriptor) -> Result<Self> {
        match layer.media_type.as_str() {
            OCI_LAYER | DOCKER_LAYER => Ok(Self::None),
            OCI_LAYER_GZIP | DOCKER_LAYER_GZIP => Ok(Self::Gzip),
            OCI_LAYER_ZSTD | DOCKER_LAYER_ZSTD => Ok(Self::Zstd),
            other => Err(Error::Unsupported {
                reference: reference.to_owned(),
                what: format!("a layer of type '{other}'"),
            }),
        }
    }
}

impl DescriptorPlatform {
    pub(crate) fn fits(&self, wanted: &Platform) -> bool {
        // A variant beyond the baseline needs a processor that this node may not have.
        let baseline = match wanted.architecture.as_str() {
            "amd64" => "v1",
            "arm64" => "v8",
            _ => "",
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && self
                .variant
                .as_deref()
                .is_none_or(|v| v.is_empty() || v == baseline)
    }
}

/// The entry of an index for this node.
pub(crate) fn choose<'a>(
    reference: &str,
    entries: &'a [Descriptor],
    wanted: &Platform,
) -> Result<&'a Descriptor> {
    if let Some(found) = entries
        .iter()
        .find(|e| e.platform.as_ref().is_some_and(|p| p.fits(wanted)))
    {
        return Ok(found);
    }
    // Local layouts often leave the platform out; the configuration is checked later in any case.
    let mut unnamed = entries.iter().filter(|e| e.platform.is_none());
    if let (Some(only), None) = (unnamed.next(), unnamed.next()) {
        return Ok(only);
    }
    let mut offered: Vec<String> = Vec::new();
    for platform in entries.iter().filter_map(|e| e.platform.as_ref()).take(20) {
        let variant = platform.variant.as_deref().filter(|v| !v.is_empty());
        let variant = variant.map(|v| format!("/{v}")).unwrap_or_default();
        offered.push(crate::digest::clip(&format!(
            "{}/{}{variant}",
            platform.os, platform.architecture
        )));
    }
    let offered = if offered.is_empty() {
        "nothing".to_owned()
    } else {
        offered.join(", ")
    };
    Err(Error::Platform {
        reference: reference.to_owned(),
        wanted: wanted.to_string(),
        offered,
    })
}

/// What the image says about running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// `user[:group]`, names or numbers; empty means root.
    pub user: String,
    /// Empty means `/`.
    pub working_dir: String,
    /// `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Paths in the container that want a volume.
    pub volumes: Vec<String>,
    /// A signal's name or number.
    pub stop_signal: Option<String>,
    pub labels: BTreeMap<String, String>,
}

/// The configuration document: how to run, for which platform, from which layers.
#[derive(Debug)]
pub(crate) struct Config {
    platform: Platform,
    pub(crate) run: ImageConfig,
    /// Bottom layer first.
    pub(crate) diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default, deserialize_with = "nullable")]
    architecture: String,
    #[serde(default, deserialize_with = "nullable")]
    os: String,
    #[serde(default, deserialize_with = "nullable")]
    config: RawRun,
    rootfs: RawRootfs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRun {
    #[serde(default, deserialize_with = "nullable")]
    entrypoint: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    cmd: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    user: String,
    #[serde(default, deserialize_with = "nullable")]
    working_dir: String,
    #[serde(default, deserialize_with = "nullable")]
    exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "nullable")]
    volumes: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    stop_signal: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default, deserialize_with = "nullable")]
    diff_ids: Vec<Digest>,
}

/// Reads a configuration and holds it against its manifest's number of layers.
pub(crate) fn parse_config(reference: &str, bytes: &[u8], layers: usize) -> Result<Config> {
    let bad = |why: String| Error::BadManifest {
        reference: reference.to_owned(),
        why,
    };
    let raw: RawConfig = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if raw.rootfs.diff_ids.len() != layers {
        return Err(bad(format!(
            "{layers} layers but {} diff ids",
            raw.rootfs.diff_ids.len()
        )));
    }
    let run = raw.config;
    Ok(Config {
        platform: Platform {
            os: raw.os,
            architecture: raw.architecture,
        },
        run: ImageConfig {
            entrypoint: run.entrypoint,
            cmd: run.cmd,
            env: run.env,
            user: run.user,
            working_dir: run.working_dir,
            exposed_ports: run.exposed_ports.into_keys().collect(),
            volumes: run.volumes.into_keys().collect(),
            stop_signal: run.stop_signal.filter(|signal| !signal.is_empty()),
            labels: run.labels,
        },
        diff_ids: raw.rootfs.diff_ids,
    })
}

impl Config {
    /// Whether the image can run here; what it leaves out is given the benefit of the doubt.
    pub(crate) fn check_platform(&self, reference: &str, wanted: &Platform) -> Result<()> {
        let differs = |have: &str, want: &str| !have.is_empty() && have != want;
        let have = &self.platform;
        if differs(&have.architecture, &wanted.architecture) || differs(&have.os, &wanted.os) {
            return Err(Error::Platform {
                reference: reference.to_owned(),
                wanted: wanted.to_string(),
                offered: crate::digest::clip(&have.to_string()),
            });
        }
        Ok(())
    }

    /// The layers top first, each once. Overlayfs takes no directory twice, and the lower one of two equal layers
    /// adds nothing that the upper one does not say.
    pub(crate) fn lowers(&self) -> Vec<Digest> {
        let mut seen = std::collections::HashSet::new();
        self.diff_ids
            .iter()
            .rev()
            .filter(|id| seen.insert(*id))
            .cloned()
            .collect()
    }
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
