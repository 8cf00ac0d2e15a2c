//! DescribeSecurityGroupRules.

use roadstead_api_ec2::{DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::filter::Filters;
use crate::page::Paging;
use crate::service::Ec2;
use crate::show;

const FILTERS: &[&str] = &["group-id", "security-group-rule-id", "tag:", "tag-key"];

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResult> {
    let DescribeSecurityGroupRulesRequest {
        dry_run,
        filters,
        max_results,
        next_token,
        security_group_rule_ids,
    } = input;
    let filters = Filters::new(filters, FILTERS)?;
    let wanted = security_group_rule_ids.filter(|ids| !ids.is_empty());
    let ids = wanted.as_ref().map(|_| "securityGroupRuleIds");
    let listing = format!("DescribeSecurityGroupRules/{}", filters.scope());
    let paging = Paging::new(ctx, &listing, max_results, next_token, ids)?;
    ec2.read(ctx, |realm| {
        let mut absent = Vec::new();
        for id in wanted.iter().flatten() {
            error::RULE.check(id)?;
            if realm.group_of_rule(id).is_none() {
                absent.push(id.as_str());
            }
        }
        if !absent.is_empty() {
            return Err(error::RULE.none_of(&absent));
        }
        super::dry_run(dry_run)?;
        let mut found: Vec<_> = realm
            .groups
            .values()
            .flat_map(|group| group.value.rules.iter().map(move |rule| (&group.value, rule)))
            .filter(|(_, rule)| {
                wanted
                    .as_ref()
                    .is_none_or(|ids| ids.iter().any(|id| id == rule.id.as_str()))
            })
            .filter(|(group, rule)| {
                filters.pass(&rule.tags, |name| match name {
                    "group-id" => show::one(group.id.as_str()),
                    _ => show::one(rule.id.as_str()),
                })
            })
            .collect();
        found.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        let (page, next_token) = paging.cut(ctx, found.into_iter(), |(_, rule)| rule.id.to_string());
        let rules = page
            .into_iter()
            .map(|(group, rule)| show::rule::wire(ctx, group, rule))
            .collect();
        Ok(DescribeSecurityGroupRulesResult {
            next_token,
            security_group_rules: Some(rules),
        })
    })
    .await?
}
