//! DescribeParameters: everything but the values.

use roadstead_api_ssm::{
    DescribeParametersRequest, DescribeParametersResult, ParameterMetadata, ParameterStringFilter,
    ParametersFilter,
};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};
use crate::filters::{self, Place};
use crate::names;
use crate::ops::{limit, page};
use crate::records::{Parameter, TEXT, Version};

/// Items of one page.
const PAGE: usize = 50;

pub(crate) async fn describe_parameters(
    ssm: &Ssm,
    ctx: &Ctx,
    input: DescribeParametersRequest,
) -> Result<DescribeParametersResult> {
    let DescribeParametersRequest {
        filters,
        max_results,
        next_token,
        parameter_filters,
        shared,
    } = input;
    let given = match (filters, parameter_filters) {
        (Some(_), Some(_)) => {
            return Err(Error::validation(
                "You can use either Filters or ParameterFilters in a single request.",
            ));
        }
        // The older form, whose names are beginnings.
        (Some(filters), None) => filters.into_iter().map(older).collect(),
        (None, given) => given.unwrap_or_default(),
    };
    let filters = filters::read(given, Place::Describe)?;
    // Nobody else's parameters can be shared with an account here.
    let all = if shared.unwrap_or_default() {
        Vec::new()
    } else {
        ssm.all(&ctx.partition()).await?
    };
    let found: Vec<Parameter> = all
        .into_iter()
        .filter(|parameter| filters.iter().all(|filter| filter.fits(parameter)))
        .collect();
    let scope = format!("describe/{filters:?}");
    let cursor = |item: &Parameter| item.name.clone();
    let (found, next_token) = page(
        ctx,
        &scope,
        found,
        cursor,
        limit(max_results, PAGE),
        next_token.as_deref(),
    )?;
    let parameters = found
        .iter()
        .filter_map(|parameter| show(ctx, parameter))
        .collect();
    Ok(DescribeParametersResult {
        next_token,
        parameters: Some(parameters),
    })
}

fn older(filter: ParametersFilter) -> ParameterStringFilter {
    let ParametersFilter { key, values } = filter;
    let key = key.to_string();
    let option = (key == "Name").then(|| "BeginsWith".to_owned());
    ParameterStringFilter {
        key,
        option,
        values: Some(values),
    }
}

fn show(ctx: &Ctx, parameter: &Parameter) -> Option<ParameterMetadata> {
    let (number, version) = parameter.latest()?;
    let Version {
        modified,
        by,
        description,
        pattern,
        tier,
        labels: _,
    } = version.clone();
    Some(ParameterMetadata {
        arn: Some(names::arn(&ctx.partition(), &parameter.name)),
        allowed_pattern: pattern,
        data_type: Some(TEXT.to_owned()),
        description,
        key_id: parameter.kind.key_id(),
        last_modified_date: Some(modified),
        last_modified_user: Some(by),
        name: Some(parameter.name.clone()),
        policies: Some(Vec::new()),
        tier: Some(tier.shown()),
        r#type: Some(parameter.kind.shown()),
        version: Some(number),
    })
}
