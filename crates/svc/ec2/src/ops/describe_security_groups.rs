//! DescribeSecurityGroups.

use roadstead_api_ec2::{DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::filter::Filters;
use crate::lookup::select;
use crate::page::Paging;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResult> {
    let DescribeSecurityGroupsRequest {
        dry_run,
        filters,
        group_ids,
        group_names,
        max_results,
        next_token,
    } = input;
    let filters = Filters::new(filters, show::group::FILTERS)?;
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let ids = if given(&group_ids) {
        Some("groupIds")
    } else if given(&group_names) {
        Some("groupNames")
    } else {
        None
    };
    let listing = format!("DescribeSecurityGroups/{}", filters.scope());
    let paging = Paging::new(ctx, &listing, max_results, next_token, ids)?;
    ec2.read(ctx, |realm| {
        let mut found = select(&realm.groups, error::GROUP, group_ids.as_deref())?;
        if given(&group_names) {
            let mut named = Vec::new();
            for name in group_names.iter().flatten() {
                named.push(&realm.group_named(name)?.value.id);
            }
            found.retain(|group| named.contains(&&group.value.id));
        }
        super::dry_run(dry_run)?;
        let passed = found
            .into_iter()
            .map(|entry| &entry.value)
            .filter(|group| filters.pass(&group.tags, |name| show::group::values(ctx, realm, group, name)));
        let (page, next_token) = paging.cut(ctx, passed, |group| group.id.to_string());
        let groups = page
            .into_iter()
            .map(|group| show::group::wire(ctx, group))
            .collect();
        Ok(DescribeSecurityGroupsResult {
            next_token,
            security_groups: Some(groups),
        })
    })
    .await?
}
