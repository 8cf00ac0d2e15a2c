//! DescribeLogGroups, in order of names.

use roadstead_api_logs::{DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result, refuse, refuse_set};
use crate::groups::all_groups;
use crate::names::{from_identifier, group_arn};
use crate::page;
use crate::records::GroupRecord;

pub(crate) async fn describe_log_groups(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse> {
    let DescribeLogGroupsRequest {
        account_identifiers,
        include_linked_accounts,
        limit,
        log_group_class,
        log_group_identifiers,
        log_group_name_pattern,
        log_group_name_prefix,
        next_token,
    } = input;
    refuse("accountIdentifiers", account_identifiers.as_ref())?;
    refuse_set("includeLinkedAccounts", include_linked_accounts)?;
    if log_group_name_pattern.is_some() && log_group_name_prefix.is_some() {
        return Err(Error::invalid(
            "logGroupNamePrefix and logGroupNamePattern are mutually exclusive.",
        ));
    }
    let named = log_group_identifiers
        .map(|identifiers| {
            let names = identifiers
                .iter()
                .map(|identifier| from_identifier(ctx, identifier));
            names.collect::<Result<Vec<_>>>()
        })
        .transpose()?;
    if named.is_some() && (log_group_name_pattern.is_some() || log_group_name_prefix.is_some()) {
        return Err(Error::invalid(
            "logGroupIdentifiers cannot be given together with a prefix or pattern.",
        ));
    }
    let pattern = log_group_name_pattern.unwrap_or_default();
    let prefix = log_group_name_prefix.unwrap_or_default();
    let partition = ctx.partition();
    let snapshot = logs.groups.snapshot();
    let wanted = |group: &GroupRecord| {
        group.name.starts_with(&prefix)
            && group.name.contains(&pattern)
            && named.as_ref().is_none_or(|named| named.contains(&group.name))
            // There is only the standard class.
            && log_group_class.is_none_or(|class| class == LogGroupClass::Standard)
    };
    let mut groups: Vec<GroupRecord> = snapshot
        .below(&all_groups(&partition))
        .map(|entry| entry.value.clone())
        .filter(wanted)
        .collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let names = named.unwrap_or_default().join(",");
    let scope = ["DescribeLogGroups", &prefix, &pattern, &names];
    let name = |group: &GroupRecord| group.name.clone();
    let (groups, next_token) = page::cut(ctx, &scope, groups, name, false, limit, next_token.as_deref())?;
    let shown = groups.into_iter().map(|group| show(logs, ctx, group));
    Ok(DescribeLogGroupsResponse {
        log_groups: Some(shown.collect::<Result<_>>()?),
        next_token,
    })
}

fn show(logs: &Logs, ctx: &Ctx, group: GroupRecord) -> Result<LogGroup> {
    let arn = group_arn(&ctx.partition(), &group.name);
    let streams = logs.lines.streams(group.id, "")?;
    let bytes: u64 = streams.iter().map(|(_, stream)| stream.bytes).sum();
    Ok(LogGroup {
        arn: Some(format!("{arn}:*")),
        creation_time: Some(group.created_at.0),
        deletion_protection_enabled: Some(group.protected),
        log_group_arn: Some(arn),
        log_group_class: Some(LogGroupClass::Standard),
        metric_filter_count: i32::try_from(group.filters.len()).ok(),
        log_group_name: Some(group.name),
        retention_in_days: group.retention_days,
        stored_bytes: i64::try_from(bytes).ok(),
        ..Default::default()
    })
}
