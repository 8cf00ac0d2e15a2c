//! Where the files of a task's volumes are.

use roadstead_acs as acs;

use super::{Result, refuse};
use crate::engine::spec::{DockerVolume, SharedVolume, Volume, VolumeSource};

pub(super) fn read_volume(volume: &acs::Volume) -> Result<Volume> {
    let name = volume.name.clone();
    if let ("docker", Some(docker)) = (volume.kind.as_str(), &volume.docker_volume_configuration) {
        let source = VolumeSource::Docker(read_docker_volume(&name, docker)?);
        return Ok(Volume { name, source });
    }
    if !matches!(volume.kind.as_str(), "" | "host") {
        return refuse(format!(
            "volume {:?}: the type {:?} is not supported by Roadstead yet",
            volume.name, volume.kind
        ));
    }
    let path = &volume.host.source_path;
    if !path.is_empty() && (!path.starts_with('/') || path.split('/').any(|part| part == "..")) {
        return refuse(format!(
            "volume {:?}: the source path {path:?} is not absolute and plain",
            volume.name
        ));
    }
    let source = if path.is_empty() {
        VolumeSource::Task
    } else {
        VolumeSource::Host(path.clone())
    };
    Ok(Volume { name, source })
}

fn read_docker_volume(name: &str, volume: &acs::DockerVolume) -> Result<DockerVolume> {
    let acs::DockerVolume {
        scope,
        autoprovision,
        driver,
        driver_opts,
        labels,
    } = volume;
    let wrong = |why: String| refuse(format!("volume {name:?}: {why}"));
    if driver != "local" {
        return wrong(format!("the driver {driver:?} is not supported by Roadstead yet"));
    }
    let shared = match scope.as_str() {
        "task" => None,
        "shared" => Some(SharedVolume {
            autoprovision: *autoprovision,
            options: driver_opts.clone(),
            labels: labels.clone(),
        }),
        other => return wrong(format!("the scope {other:?} is not known")),
    };
    // It names a directory.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if shared.is_some() && (name.is_empty() || name.len() > 255 || !name.bytes().all(plain)) {
        return wrong("it is no name for a volume that outlives its task".to_owned());
    }
    match roadstead_volumes::storage(driver_opts) {
        Ok(storage) => Ok(DockerVolume { storage, shared }),
        Err(fault) => wrong(format!("its driverOpts: {fault}")),
    }
}
