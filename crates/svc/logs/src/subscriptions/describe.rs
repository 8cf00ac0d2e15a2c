//! DescribeSubscriptionFilters, of one group, in order of names.

use roadstead_api_logs::{
    DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse, Distribution, SubscriptionFilter,
};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::Result;
use crate::page;
use crate::records::SubscriptionRecord;

pub(crate) async fn describe_subscription_filters(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse> {
    let DescribeSubscriptionFiltersRequest {
        filter_name_prefix,
        limit,
        log_group_name,
        next_token,
    } = input;
    let group = logs.group(ctx, &log_group_name).await?;
    let prefix = filter_name_prefix.unwrap_or_default();
    let found: Vec<(String, SubscriptionRecord)> = group
        .subscriptions
        .into_iter()
        .filter(|(name, _)| name.starts_with(&prefix))
        .collect();
    let scope = ["DescribeSubscriptionFilters", &log_group_name, &prefix];
    let name = |(name, _): &(String, SubscriptionRecord)| name.clone();
    let (found, next_token) = page::cut(ctx, &scope, found, name, false, limit, next_token.as_deref())?;
    Ok(DescribeSubscriptionFiltersResponse {
        subscription_filters: Some(
            found
                .into_iter()
                .map(|found| show(&log_group_name, found))
                .collect(),
        ),
        next_token,
    })
}

fn show(group: &str, (name, filter): (String, SubscriptionRecord)) -> SubscriptionFilter {
    let SubscriptionRecord {
        id: _internal,
        pattern,
        destination,
        created_at,
    } = filter;
    SubscriptionFilter {
        // No group has a transformer.
        apply_on_transformed_logs: Some(false),
        creation_time: Some(created_at.0),
        destination_arn: Some(destination),
        distribution: Some(Distribution::ByLogStream),
        filter_name: Some(name),
        filter_pattern: Some(pattern),
        log_group_name: Some(group.to_owned()),
        ..Default::default()
    }
}
