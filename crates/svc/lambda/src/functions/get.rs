//! GetFunction and GetFunctionConfiguration.

use roadstead_api_lambda::{
    FunctionCodeLocation, FunctionConfiguration, GetFunctionConfigurationRequest, GetFunctionRequest,
    GetFunctionResponse,
};
use roadstead_base::Ctx;

use crate::Lambda;
use crate::error::Result;
use crate::names::Named;
use crate::records::{Code, FunctionRecord, ImageRecord, VersionRecord};
use crate::show;

pub(crate) fn get_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse> {
    let GetFunctionRequest {
        function_name,
        qualifier,
    } = input;
    let (function, version, configuration) = found(lambda, ctx, &function_name, qualifier.as_deref())?;
    let location = match &version.code {
        Code::Archive(archive) => FunctionCodeLocation {
            location: lambda.link(ctx, archive),
            repository_type: Some("S3".into()),
            ..FunctionCodeLocation::default()
        },
        Code::Image(ImageRecord {
            uri,
            resolved,
            has_command: _,
        }) => FunctionCodeLocation {
            image_uri: Some(uri.clone()),
            repository_type: Some("ECR".into()),
            resolved_image_uri: Some(resolved.clone()),
            ..FunctionCodeLocation::default()
        },
    };
    Ok(GetFunctionResponse {
        code: Some(location),
        concurrency: function.reserved.map(crate::reserved::shown),
        configuration: Some(configuration),
        tags: Some(function.tags).filter(|tags| !tags.is_empty()),
        tags_error: None,
    })
}

pub(crate) fn get_function_configuration(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration> {
    let GetFunctionConfigurationRequest {
        function_name,
        qualifier,
    } = input;
    Ok(found(lambda, ctx, &function_name, qualifier.as_deref())?.2)
}

fn found(
    lambda: &Lambda,
    ctx: &Ctx,
    function_name: &str,
    qualifier: Option<&str>,
) -> Result<(FunctionRecord, VersionRecord, FunctionConfiguration)> {
    let partition = ctx.partition();
    let named = Named::of(ctx, function_name, qualifier)?;
    let (function, version) = lambda.with_function(&partition, &named, |function| {
        lambda.version(&partition, function, &named)
    })?;
    let shown = show::configuration(&partition, &named.name, &version, named.qualifier.as_deref());
    Ok((function, version, shown))
}
