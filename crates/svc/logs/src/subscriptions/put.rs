//! PutSubscriptionFilter: makes a filter, or replaces the one of that name, which then is owed what that was. The
//! destination is tried first.

use roadstead_api_logs::{Distribution, PutSubscriptionFilterRequest};
use roadstead_base::Ctx;
use roadstead_log_patterns::Pattern;

use super::destination;
use crate::Logs;
use crate::error::{Error, Result, refuse, refuse_set};
use crate::records::{GroupRecord, SubscriptionRecord};

/// Of one group.
const MAX_FILTERS: usize = 2;

pub(crate) async fn put_subscription_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: PutSubscriptionFilterRequest,
) -> Result<()> {
    let PutSubscriptionFilterRequest {
        apply_on_transformed_logs,
        destination_arn,
        distribution,
        emit_system_fields,
        field_selection_criteria,
        filter_name,
        filter_pattern,
        log_group_name,
        role_arn,
    } = input;
    refuse_set("applyOnTransformedLogs", apply_on_transformed_logs)?;
    // It says how lines are spread over the parts of a stream, and functions have none.
    if distribution == Some(Distribution::Random) {
        return Err(Error::unsupported("distribution Random for a function"));
    }
    refuse("emitSystemFields", emit_system_fields.as_ref())?;
    refuse("fieldSelectionCriteria", field_selection_criteria.as_ref())?;
    filter_pattern
        .parse::<Pattern>()
        .map_err(|fault| Error::invalid(format!("Invalid subscription filter pattern: {fault}")))?;
    let mut group = logs.group(ctx, &log_group_name).await?;
    destination::check(ctx, &destination_arn, role_arn.as_deref())?;
    let now = logs.clock.now();
    let record = SubscriptionRecord {
        id: logs.lines.numbers(1).await?,
        pattern: filter_pattern,
        destination: destination_arn,
        created_at: now,
    };
    // Whether there is room is known before the function is called.
    insert(&mut group, &filter_name, &record)?;
    let tried = destination::test(logs, &ctx.partition(), &log_group_name, &record.destination, now).await;
    if let Err(error) = tried {
        let destination = &record.destination;
        tracing::info!(group = log_group_name, destination, %error, "a subscription's destination did not take a test");
        return Err(Error::invalid(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute \
             your function.",
        ));
    }
    let change = |group: &mut GroupRecord| insert(group, &filter_name, &record);
    logs.change_group(ctx, &log_group_name, change).await
}

fn insert(group: &mut GroupRecord, name: &str, record: &SubscriptionRecord) -> Result<()> {
    let mut record = record.clone();
    if let Some(before) = group.subscriptions.get(name) {
        record.id = before.id;
        record.created_at = before.created_at;
    }
    group.subscriptions.insert(name.to_owned(), record);
    if group.subscriptions.len() > MAX_FILTERS {
        return Err(Error::Limit("Resource limit exceeded.".into()));
    }
    group.check_regexes()
}
