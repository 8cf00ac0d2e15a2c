//! LabelParameterVersion and UnlabelParameterVersion. A label is on one version at a time.

use roadstead_api_ssm::{
    LabelParameterVersionRequest, LabelParameterVersionResult, UnlabelParameterVersionRequest,
    UnlabelParameterVersionResult,
};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};
use crate::names;
use crate::records::{Parameter, Version};

/// Labels of one version.
const MAX_LABELS: usize = 10;

pub(crate) async fn label_parameter_version(
    ssm: &Ssm,
    ctx: &Ctx,
    input: LabelParameterVersionRequest,
) -> Result<LabelParameterVersionResult> {
    let LabelParameterVersionRequest {
        labels,
        name,
        parameter_version,
    } = input;
    let (good, bad): (Vec<String>, Vec<String>) =
        labels.into_iter().partition(|label| names::is_label(label));
    let number = ssm
        .change(ctx, &name, |parameter| {
            let latest = parameter.latest().map(|(number, _)| number);
            let number = parameter_version.or(latest).unwrap_or_default();
            version(parameter, number)?;
            for other in parameter.versions.values_mut() {
                other.labels.retain(|label| !good.contains(label));
            }
            let version = version(parameter, number)?;
            version.labels.extend(good.iter().cloned());
            if version.labels.len() > MAX_LABELS {
                return Err(Error::TooManyLabels);
            }
            Ok(number)
        })
        .await?;
    Ok(LabelParameterVersionResult {
        invalid_labels: Some(bad),
        parameter_version: Some(number),
    })
}

pub(crate) async fn unlabel_parameter_version(
    ssm: &Ssm,
    ctx: &Ctx,
    input: UnlabelParameterVersionRequest,
) -> Result<UnlabelParameterVersionResult> {
    let UnlabelParameterVersionRequest {
        labels,
        name,
        parameter_version: number,
    } = input;
    let (removed, invalid) = ssm
        .change(ctx, &name, |parameter| {
            let version = version(parameter, number)?;
            let (there, absent): (Vec<String>, Vec<String>) = labels
                .iter()
                .cloned()
                .partition(|label| version.labels.contains(label));
            version.labels.retain(|label| !there.contains(label));
            Ok((there, absent))
        })
        .await?;
    Ok(UnlabelParameterVersionResult {
        invalid_labels: Some(invalid),
        removed_labels: Some(removed),
    })
}

fn version(parameter: &mut Parameter, number: i64) -> Result<&mut Version> {
    let name = parameter.name.clone();
    let missing = || Error::NoSuchVersion {
        name,
        what: format!("version {number}"),
    };
    parameter.versions.get_mut(&number).ok_or_else(missing)
}
