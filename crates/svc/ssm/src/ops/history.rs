//! GetParameterHistory: versions, oldest first.

use roadstead_api_ssm::{GetParameterHistoryRequest, GetParameterHistoryResult, ParameterHistory};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};
use crate::names::Selector;
use crate::ops::{limit, page};
use crate::records::{TEXT, Version};

/// Items of one page.
const PAGE: usize = 50;

pub(crate) async fn get_parameter_history(
    ssm: &Ssm,
    ctx: &Ctx,
    input: GetParameterHistoryRequest,
) -> Result<GetParameterHistoryResult> {
    let GetParameterHistoryRequest {
        max_results,
        name,
        next_token,
        with_decryption,
    } = input;
    let (parameter, _, reference) = ssm.referred(ctx, &name).await?;
    if reference.selector != Selector::Latest {
        return Err(Error::validation(
            "The history is of all versions: a name without a version or label is needed.",
        ));
    }
    let versions: Vec<(i64, Version)> = parameter
        .versions
        .iter()
        .map(|(number, version)| (*number, version.clone()))
        .collect();
    let scope = format!("history/{}", parameter.name);
    let cursor = |item: &(i64, Version)| format!("{:020}", item.0);
    let (versions, next_token) = page(
        ctx,
        &scope,
        versions,
        cursor,
        limit(max_results, PAGE),
        next_token.as_deref(),
    )?;
    let mut parameters = Vec::new();
    for (number, version) in versions {
        let open = with_decryption.unwrap_or_default();
        let value = ssm.value(&ctx.partition(), &parameter.name, number, open).await?;
        let Version {
            modified,
            by,
            description,
            pattern,
            tier,
            labels,
        } = version;
        parameters.push(ParameterHistory {
            allowed_pattern: pattern,
            data_type: Some(TEXT.to_owned()),
            description,
            key_id: parameter.kind.key_id(),
            labels: Some(labels.into_iter().collect()),
            last_modified_date: Some(modified),
            last_modified_user: Some(by),
            name: Some(parameter.name.clone()),
            policies: Some(Vec::new()),
            tier: Some(tier.shown()),
            r#type: Some(parameter.kind.shown()),
            value,
            version: Some(number),
        });
    }
    Ok(GetParameterHistoryResult {
        next_token,
        parameters: Some(parameters),
    })
}
