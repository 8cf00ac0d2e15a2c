//! Volumes that Docker would make, with its driver `local`.
//! Source: the Amazon ECS API reference, DockerVolumeConfiguration; the developer guide, "Docker volumes".

use std::collections::BTreeMap;

use roadstead_api_ecs::{DockerVolumeConfiguration, Scope};
use roadstead_volumes::{Fault, storage};

use super::around::Fargate;
use crate::error::{Error, Result};

const LOCAL: &str = "local";
/// Labels of one volume, and bytes of one name or value.
const LABELS: usize = 100;
const TEXT: usize = 4096;

/// The volume with its defaults filled in.
pub(super) fn check(
    name: &str,
    at: &str,
    volume: DockerVolumeConfiguration,
    fargate: &mut Fargate,
) -> Result<DockerVolumeConfiguration> {
    let DockerVolumeConfiguration {
        autoprovision,
        driver,
        driver_opts,
        labels,
        scope,
    } = volume;
    fargate.obstacle("Fargate compatible task definitions do not support dockerVolumeConfiguration")?;
    let driver = driver.unwrap_or_else(|| LOCAL.to_owned());
    if driver != LOCAL {
        let shown: String = driver.chars().take(64).collect();
        return Err(Error::unsupported(format!("{at}.driver {shown}")));
    }
    let scope = scope.unwrap_or(Scope::Task);
    if scope == Scope::Task && autoprovision == Some(true) {
        return Err(Error::client(format!(
            "The autoprovision of volume '{name}' is for the scope shared alone."
        )));
    }
    if let Some(options) = &driver_opts {
        storage(options).map_err(|fault| match fault {
            Fault::Invalid(why) => {
                Error::client(format!("Invalid 'driverOpts' setting for volume '{name}'. {why}"))
            }
            Fault::Unsupported(what) => Error::unsupported(format!("{at}.driverOpts {what}")),
        })?;
    }
    check_labels(name, labels.as_ref())?;
    Ok(DockerVolumeConfiguration {
        autoprovision: autoprovision.or((scope == Scope::Shared).then_some(false)),
        driver: Some(driver),
        driver_opts,
        labels,
        scope: Some(scope),
    })
}

fn check_labels(volume: &str, labels: Option<&BTreeMap<String, String>>) -> Result<()> {
    let Some(labels) = labels else { return Ok(()) };
    let fits = |text: &str| text.len() <= TEXT && !text.contains('\0');
    if labels.len() <= LABELS
        && labels
            .iter()
            .all(|(name, value)| !name.is_empty() && fits(name) && fits(value))
    {
        return Ok(());
    }
    Err(Error::client(format!(
        "Invalid 'labels' setting for volume '{volume}'. At most {LABELS} are allowed, each with a name."
    )))
}
