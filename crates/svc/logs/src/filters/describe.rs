//! DescribeMetricFilters, of one group or of all, in order of names and, for one name, of groups.

use roadstead_api_logs::{
    DescribeMetricFiltersRequest, DescribeMetricFiltersResponse, MetricFilter, MetricTransformation,
    StandardUnit,
};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::groups::all_groups;
use crate::page;
use crate::records::{FilterRecord, GroupRecord};

pub(crate) async fn describe_metric_filters(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeMetricFiltersRequest,
) -> Result<DescribeMetricFiltersResponse> {
    let DescribeMetricFiltersRequest {
        filter_name_prefix,
        limit,
        log_group_name,
        metric_name,
        metric_namespace,
        next_token,
    } = input;
    if metric_name.is_some() != metric_namespace.is_some() {
        return Err(Error::invalid("metricName and metricNamespace go together."));
    }
    let groups: Vec<GroupRecord> = match &log_group_name {
        Some(name) => vec![logs.group(ctx, name).await?],
        None => {
            let snapshot = logs.groups.snapshot();
            let all = all_groups(&ctx.partition());
            snapshot.below(&all).map(|entry| entry.value.clone()).collect()
        }
    };
    // As documented, the prefix counts only together with a group.
    let prefix = filter_name_prefix
        .filter(|_| log_group_name.is_some())
        .unwrap_or_default();
    let wanted = |name: &str, filter: &FilterRecord| {
        name.starts_with(&prefix)
            && metric_name.as_ref().is_none_or(|metric| *metric == filter.metric)
            && metric_namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == filter.namespace)
    };
    let mut found = Vec::new();
    for group in groups {
        for (name, filter) in group.filters {
            if wanted(&name, &filter) {
                found.push((group.name.clone(), name, filter));
            }
        }
    }
    let place = |(group, name, _): &(String, String, FilterRecord)| format!("{name}\n{group}");
    found.sort_by_cached_key(place);
    let metric = format!(
        "{}/{}",
        metric_namespace.unwrap_or_default(),
        metric_name.unwrap_or_default()
    );
    let scope = [
        "DescribeMetricFilters",
        &log_group_name.unwrap_or_default(),
        &prefix,
        &metric,
    ];
    let (found, next_token) = page::cut(ctx, &scope, found, place, false, limit, next_token.as_deref())?;
    Ok(DescribeMetricFiltersResponse {
        metric_filters: Some(found.into_iter().map(show).collect()),
        next_token,
    })
}

fn show((group, name, filter): (String, String, FilterRecord)) -> MetricFilter {
    let FilterRecord {
        pattern,
        metric,
        namespace,
        value,
        default,
        dimensions,
        unit,
        created_at,
    } = filter;
    MetricFilter {
        creation_time: Some(created_at.0),
        filter_name: Some(name),
        // No group has a transformer.
        apply_on_transformed_logs: Some(false),
        filter_pattern: Some(pattern),
        log_group_name: Some(group),
        metric_transformations: Some(vec![MetricTransformation {
            metric_name: metric,
            metric_namespace: namespace,
            metric_value: value,
            default_value: default,
            dimensions: Some(dimensions).filter(|dimensions| !dimensions.is_empty()),
            unit: unit.as_deref().and_then(StandardUnit::parse),
        }]),
        ..Default::default()
    }
}
