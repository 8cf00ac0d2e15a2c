//! GetParameter and GetParameters.

use std::collections::BTreeSet;

use roadstead_api_ssm::{GetParameterRequest, GetParameterResult, GetParametersRequest, GetParametersResult};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};

pub(crate) async fn get_parameter(
    ssm: &Ssm,
    ctx: &Ctx,
    input: GetParameterRequest,
) -> Result<GetParameterResult> {
    let GetParameterRequest {
        name,
        with_decryption,
    } = input;
    let parameter = one(ssm, ctx, &name, with_decryption.unwrap_or_default()).await?;
    Ok(GetParameterResult {
        parameter: Some(parameter),
    })
}

pub(crate) async fn get_parameters(
    ssm: &Ssm,
    ctx: &Ctx,
    input: GetParametersRequest,
) -> Result<GetParametersResult> {
    let GetParametersRequest {
        names,
        with_decryption,
    } = input;
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    // Once each, in order of their names.
    for name in names.into_iter().collect::<BTreeSet<String>>() {
        match one(ssm, ctx, &name, with_decryption.unwrap_or_default()).await {
            Ok(parameter) => found.push(parameter),
            Err(Error::NotFound(_) | Error::NoSuchVersion { .. } | Error::Validation(_)) => {
                invalid.push(name)
            }
            Err(error) => return Err(error),
        }
    }
    found.sort_by(|one, other| (&one.name, one.version).cmp(&(&other.name, other.version)));
    Ok(GetParametersResult {
        invalid_parameters: Some(invalid),
        parameters: Some(found),
    })
}

async fn one(ssm: &Ssm, ctx: &Ctx, name: &str, open: bool) -> Result<roadstead_api_ssm::Parameter> {
    let (parameter, number, reference) = ssm.referred(ctx, name).await?;
    let shown = ssm.shown(ctx, &parameter, number, reference.shown, open).await?;
    shown.ok_or(Error::NotFound(parameter.name))
}
