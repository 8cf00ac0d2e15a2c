//! ListLogGroups: groups by patterns of their names and by their tags.

use roadstead_api_logs::{
    ListLogGroupsRequest, ListLogGroupsResponse, LogGroupClass, LogGroupSummary, TagFilter,
};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Result, refuse, refuse_set};
use crate::groups::all_groups;
use crate::names::group_arn;
use crate::page;
use crate::records::GroupRecord;

pub(crate) fn list_log_groups(
    logs: &Logs,
    ctx: &Ctx,
    input: ListLogGroupsRequest,
) -> Result<ListLogGroupsResponse> {
    let ListLogGroupsRequest {
        account_identifiers,
        data_sources,
        field_index_names,
        include_linked_accounts,
        limit,
        log_group_class,
        log_group_name_pattern,
        log_group_tags,
        next_token,
    } = input;
    refuse("accountIdentifiers", account_identifiers.as_ref())?;
    refuse("dataSources", data_sources.as_ref())?;
    refuse("fieldIndexNames", field_index_names.as_ref())?;
    refuse_set("includeLinkedAccounts", include_linked_accounts)?;
    let pattern = log_group_name_pattern.unwrap_or_default();
    let filters = log_group_tags.unwrap_or_default();
    let partition = ctx.partition();
    let snapshot = logs.groups.snapshot();
    let wanted = |group: &GroupRecord| {
        named(&group.name, &pattern)
            && log_group_class.is_none_or(|class| class == LogGroupClass::Standard)
            && filters.iter().all(|filter| tagged(group, filter))
    };
    let mut groups: Vec<GroupRecord> = snapshot
        .below(&all_groups(&partition))
        .map(|entry| entry.value.clone())
        .filter(wanted)
        .collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let tags = format!("{filters:?}");
    let scope = ["ListLogGroups", &pattern, &tags];
    let name = |group: &GroupRecord| group.name.clone();
    let (groups, next_token) = page::cut(ctx, &scope, groups, name, false, limit, next_token.as_deref())?;
    let show = |group: GroupRecord| LogGroupSummary {
        log_group_arn: Some(group_arn(&partition, &group.name)),
        log_group_class: Some(LogGroupClass::Standard),
        log_group_name: Some(group.name),
    };
    Ok(ListLogGroupsResponse {
        log_groups: Some(groups.into_iter().map(show).collect()),
        next_token,
    })
}

/// Parts of names, or with `^` their beginnings, with `|` between; the model knows no other pattern.
fn named(name: &str, pattern: &str) -> bool {
    pattern.split('|').any(|part| match part.strip_prefix('^') {
        Some(prefix) => name.starts_with(prefix),
        None => name.contains(part),
    })
}

fn tagged(group: &GroupRecord, filter: &TagFilter) -> bool {
    let TagFilter { key, values } = filter;
    let Some(value) = group.tags.get(key) else {
        return false;
    };
    match values.as_deref() {
        None | Some([]) => true,
        Some(wanted) => wanted.iter().any(|wanted| match wanted.strip_prefix('!') {
            Some(unwanted) => !is(value, unwanted),
            None => is(value, wanted),
        }),
    }
}

/// With a `*` at either end, in whichever case.
fn is(value: &str, wanted: &str) -> bool {
    let (start, end) = (wanted.starts_with('*'), wanted.len() > 1 && wanted.ends_with('*'));
    if !start && !end {
        return value == wanted;
    }
    let (value, part) = (value.to_lowercase(), wanted.trim_matches('*').to_lowercase());
    match (start, end) {
        (true, true) => value.contains(&part),
        (true, false) => value.ends_with(&part),
        _ => value.starts_with(&part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_match_as_documented() {
        for (name, pattern, matches) in [
            ("/aws/lambda/a", "^/aws/lambda|discovery", true),
            ("my-discovery", "^/aws/lambda|discovery", true),
            ("x/aws/lambda", "^/aws/lambda|discovery", false),
            ("anything", "", true),
        ] {
            assert_eq!(named(name, pattern), matches, "{name} {pattern}");
        }
        for (value, wanted, matches) in [
            ("prod", "prod", true),
            ("Prod", "prod", false),
            ("Production", "prod*", true),
            ("preprod", "*PROD", true),
            ("a-prod-b", "*prod*", true),
            ("test", "*", true),
            ("test", "prod*", false),
        ] {
            assert_eq!(is(value, wanted), matches, "{value} {wanted}");
        }
    }
}
