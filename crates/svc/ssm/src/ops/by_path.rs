//! GetParametersByPath.

use roadstead_api_ssm::{GetParametersByPathRequest, GetParametersByPathResult};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};
use crate::filters::{self, Filter, Place};
use crate::names;
use crate::ops::{limit, page};
use crate::records::Parameter;

/// Items of one page.
const PAGE: usize = 10;

pub(crate) async fn get_parameters_by_path(
    ssm: &Ssm,
    ctx: &Ctx,
    input: GetParametersByPathRequest,
) -> Result<GetParametersByPathResult> {
    let GetParametersByPathRequest {
        max_results,
        next_token,
        parameter_filters,
        path,
        recursive,
        with_decryption,
    } = input;
    let path = path.trim_matches(' ');
    let character = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if !path.starts_with('/') || path.contains("//") || !path.chars().all(character) {
        return Err(Error::validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \
             \"/\". It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). \
             All sub-paths, if specified, must use the forward slash symbol \"/\".",
        ));
    }
    let filters = filters::read(parameter_filters.unwrap_or_default(), Place::ByPath)?;
    let recursive = recursive.unwrap_or_default();
    let label = filters.iter().find_map(|filter| match filter {
        Filter::Label(labels) => Some(labels),
        _ => None,
    });
    // With labels, the versions that have one; otherwise the latest.
    let version = |parameter: &Parameter| match label {
        Some(labels) => labels
            .iter()
            .find_map(|label| parameter.labelled(label))
            .map(|(number, _)| number),
        None => parameter.latest().map(|(number, _)| number),
    };
    let found: Vec<(Parameter, i64)> = ssm
        .all(&ctx.partition())
        .await?
        .into_iter()
        .filter(|parameter| names::is_below(&parameter.name, path, recursive))
        .filter(|parameter| filters.iter().all(|filter| filter.fits(parameter)))
        .filter_map(|parameter| version(&parameter).map(|number| (parameter, number)))
        .collect();
    let scope = format!("by-path/{path}/{recursive}/{filters:?}");
    let cursor = |item: &(Parameter, i64)| item.0.name.clone();
    let (found, next_token) = page(
        ctx,
        &scope,
        found,
        cursor,
        limit(max_results, PAGE),
        next_token.as_deref(),
    )?;
    let mut parameters = Vec::new();
    for (parameter, number) in found {
        let open = with_decryption.unwrap_or_default();
        // One that was deleted meanwhile is none.
        parameters.extend(ssm.shown(ctx, &parameter, number, None, open).await?);
    }
    Ok(GetParametersByPathResult {
        next_token,
        parameters: Some(parameters),
    })
}
