//! GetLayerVersion and GetLayerVersionByArn.

use roadstead_api_lambda::{GetLayerVersionByArnRequest, GetLayerVersionRequest, GetLayerVersionResponse};
use roadstead_base::Ctx;

use super::named::Layer;
use super::publish::content_of;
use crate::Lambda;
use crate::error::Result;

pub(crate) fn get_layer_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetLayerVersionRequest,
) -> Result<GetLayerVersionResponse> {
    let GetLayerVersionRequest {
        layer_name,
        version_number,
    } = input;
    found(
        lambda,
        ctx,
        &Layer::of(ctx, &layer_name)?,
        super::number(version_number)?,
    )
}

pub(crate) fn get_layer_version_by_arn(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetLayerVersionByArnRequest,
) -> Result<GetLayerVersionResponse> {
    let GetLayerVersionByArnRequest { arn } = input;
    let (layer, number) = Layer::version_of(ctx, &arn)?;
    found(lambda, ctx, &layer, number)
}

fn found(lambda: &Lambda, ctx: &Ctx, layer: &Layer, number: u64) -> Result<GetLayerVersionResponse> {
    lambda.check_readable(ctx, layer, number)?;
    let record = lambda.layer_version(layer, number).ok_or_else(super::missing)?;
    Ok(GetLayerVersionResponse {
        compatible_architectures: super::architectures(&record),
        compatible_runtimes: super::runtimes(&record),
        content: Some(content_of(lambda, ctx, &record)),
        created_date: Some(crate::show::time(record.created_at)),
        layer_arn: Some(layer.arn()),
        layer_version_arn: Some(layer.version_arn(number)),
        version: i64::try_from(number).ok(),
        description: Some(record.description),
        license_info: record.license,
    })
}
