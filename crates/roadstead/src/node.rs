//! What a node is told, from this binary's options.

use std::path::Path;

use anyhow::Result;
use roadstead_agent::api::Credentials;
use roadstead_agent::node::Options;
use roadstead_image::Mirror;

use crate::place;

/// Port of the API inside tasks, as local tools know it.
pub(crate) const TASK_API_PORT: u16 = 4566;

/// The usual node of this data folder: not part of any control plane's own capacity yet.
pub(crate) fn options(
    data: &Path,
    backend: &str,
    credentials: Credentials,
    mirrors: &[Mirror],
) -> Result<Options> {
    let mut options = Options::new(backend, credentials, data, &place::instance(data)?);
    options.instance_id = Some(place::node_id(data)?);
    options.images.mirrors = mirrors.to_vec();
    Ok(options)
}

/// For work on the machine that needs no control plane.
pub(crate) fn bare(data: &Path) -> Result<Options> {
    let nobody = Credentials {
        access_key: String::new(),
        secret_key: String::new(),
    };
    options(data, "http://127.0.0.1", nobody, &[])
}
