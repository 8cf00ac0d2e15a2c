//! Volumes of a task and where containers mount them.

use std::collections::BTreeSet;

use roadstead_api_ecs::{HostVolumeProperties, MountPoint, Volume, VolumeFrom};

use super::around::{Around, Fargate};
use super::container::{invalid, invalid_because};
use super::docker_volume;
use crate::error::{Error, Result, refuse};

/// Volumes of one task definition, mounts of one container.
const MAX: usize = 100;
const NAME_MAX: usize = 255;

/// The volumes with their defaults filled in.
pub(super) fn check_volumes(volumes: Vec<Volume>, fargate: &mut Fargate) -> Result<Vec<Volume>> {
    if volumes.len() > MAX {
        return Err(Error::client(format!(
            "A task definition can have at most {MAX} volumes."
        )));
    }
    let mut names = BTreeSet::new();
    let mut checked = Vec::with_capacity(volumes.len());
    for (index, volume) in volumes.into_iter().enumerate() {
        let volume = check_volume(&format!("volumes[{index}]"), volume, fargate)?;
        if !names.insert(volume.name.clone()) {
            let name = volume.name.unwrap_or_default();
            return Err(Error::client(format!(
                "The volume name '{name}' is not unique in the task definition."
            )));
        }
        checked.push(volume);
    }
    Ok(checked)
}

fn check_volume(at: &str, volume: Volume, fargate: &mut Fargate) -> Result<Volume> {
    let Volume {
        configured_at_launch,
        docker_volume_configuration,
        efs_volume_configuration,
        fsx_windows_file_server_volume_configuration,
        host,
        name,
        s3files_volume_configuration,
    } = volume;
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Error::client("Volume.name should not be null or empty."))?;
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !plain || name.len() > NAME_MAX {
        return Err(Error::client("Volume.name contains invalid characters."));
    }
    refuse(&format!("{at}.configuredAtLaunch"), configured_at_launch)?;
    refuse(&format!("{at}.efsVolumeConfiguration"), efs_volume_configuration)?;
    refuse(
        &format!("{at}.fsxWindowsFileServerVolumeConfiguration"),
        fsx_windows_file_server_volume_configuration,
    )?;
    refuse(
        &format!("{at}.s3filesVolumeConfiguration"),
        s3files_volume_configuration,
    )?;
    if let Some(docker) = docker_volume_configuration {
        if host.is_some() {
            return Err(Error::client(
                "When the volume parameter is specified, only one volume configuration type should be used.",
            ));
        }
        let docker =
            docker_volume::check(&name, &format!("{at}.dockerVolumeConfiguration"), docker, fargate)?;
        return Ok(Volume {
            configured_at_launch,
            docker_volume_configuration: Some(docker),
            name: Some(name),
            ..Volume::default()
        });
    }
    let HostVolumeProperties { source_path } = host.unwrap_or_default();
    if let Some(path) = &source_path {
        if path.is_empty() {
            return Err(Error::client("host.sourcePath should not be blank."));
        }
        if !is_plain(path) {
            return Err(Error::client(format!(
                "The host.sourcePath of volume '{name}' must be an absolute path without '..'."
            )));
        }
        fargate.obstacle("Fargate compatible task definitions do not support sourcePath")?;
    }
    Ok(Volume {
        configured_at_launch,
        docker_volume_configuration: None,
        efs_volume_configuration: None,
        fsx_windows_file_server_volume_configuration: None,
        host: Some(HostVolumeProperties { source_path }),
        name: Some(name),
        s3files_volume_configuration: None,
    })
}

/// Absolute, and never upwards.
pub(super) fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..")
}

pub(super) fn check_mount_points(
    name: &str,
    mounts: Vec<MountPoint>,
    around: &Around,
) -> Result<Vec<MountPoint>> {
    if mounts.len() > MAX {
        return Err(invalid_because(
            "mountPoints",
            name,
            format_args!("At most {MAX} are allowed."),
        ));
    }
    let mut targets = BTreeSet::new();
    for MountPoint {
        container_path,
        read_only: _either,
        source_volume,
    } in &mounts
    {
        let volume = source_volume.as_deref().unwrap_or_default();
        if !around.volumes.contains(volume) {
            return Err(Error::client(format!("Unknown volume '{volume}'.")));
        }
        let Some(path) = container_path
            .as_deref()
            .filter(|path| is_plain(path) && !path.trim_end_matches('/').is_empty())
        else {
            return Err(invalid_because(
                "mountPoints",
                name,
                "Each containerPath must be an absolute path without '..', and not the root.",
            ));
        };
        if !targets.insert(path.trim_end_matches('/')) {
            return Err(invalid_because(
                "mountPoints",
                name,
                format_args!("'{path}' is mounted more than once."),
            ));
        }
    }
    Ok(mounts)
}

pub(super) fn check_volumes_from(
    name: &str,
    from: Vec<VolumeFrom>,
    around: &Around,
) -> Result<Vec<VolumeFrom>> {
    if from.len() > MAX {
        return Err(invalid_because(
            "volumesFrom",
            name,
            format_args!("At most {MAX} are allowed."),
        ));
    }
    let mut sources = BTreeSet::new();
    for VolumeFrom {
        read_only: _either,
        source_container,
    } in &from
    {
        let source = source_container.as_deref().unwrap_or_default();
        if source == name || !around.containers.contains(source) || !sources.insert(source) {
            return Err(invalid("volumesFrom", name));
        }
    }
    Ok(from)
}
