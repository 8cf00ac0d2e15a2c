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

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AuthorizeSecurityGroupIngressRequest, DescribeSecurityGroupRulesRequest, Ec2 as _,
    };

    use crate::testing::{Bench, fails, filter, tagged, tcp};

    #[tokio::test]
    async fn describe_security_group_rules_finds_rules_by_id_filter_and_page() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let web = bench.group(&vpc, "web").await;
        let input = AuthorizeSecurityGroupIngressRequest {
            group_id: Some(web.clone()),
            ip_permissions: Some((1..6).map(|port| tcp(port, "10.0.0.0/8")).collect()),
            tag_specifications: tagged("security-group-rule", "why", "test"),
            ..Default::default()
        };
        let made = bench
            .ec2
            .authorize_security_group_ingress(&ctx, input)
            .await
            .expect("rules");
        let rule = made.security_group_rules.expect("rules").remove(0);
        let id = rule.security_group_rule_id.clone().expect("an id");
        assert_eq!(
            rule.security_group_rule_arn,
            Some(format!(
                "arn:aws:ec2:us-east-1:000000000000:security-group-rule/{id}"
            ))
        );
        let all = || DescribeSecurityGroupRulesRequest::default();
        let ask = async |input| bench.ec2.describe_security_group_rules(&ctx, input).await;
        let count = async |name: &str, value: &str| {
            let input = DescribeSecurityGroupRulesRequest {
                filters: filter(name, &[value]),
                ..all()
            };
            ask(input)
                .await
                .expect("an answer")
                .security_group_rules
                .expect("rules")
                .len()
        };
        assert_eq!(count("group-id", &web).await, 6, "five and the way out");
        assert_eq!(count("security-group-rule-id", &id).await, 1);
        assert_eq!(count("tag:why", "test").await, 5);
        assert_eq!(count("tag-key", "other").await, 0);
        let by_id = |id: &str| DescribeSecurityGroupRulesRequest {
            security_group_rule_ids: Some(vec![id.to_owned()]),
            ..all()
        };
        assert_eq!(
            ask(by_id(&id)).await.expect("an answer").security_group_rules,
            Some(vec![rule])
        );
        fails(
            ask(by_id("sgr-0123")).await,
            "InvalidSecurityGroupRuleId.NotFound",
            "'sgr-0123' does not exist",
        );
        fails(
            ask(by_id("x")).await,
            "InvalidSecurityGroupRuleId.Malformed",
            "sgr-...",
        );
        let both = DescribeSecurityGroupRulesRequest {
            max_results: Some(5),
            ..by_id(&id)
        };
        fails(
            ask(both).await,
            "InvalidParameterCombination",
            "securityGroupRuleIds",
        );
        fails(
            ask(DescribeSecurityGroupRulesRequest {
                dry_run: Some(true),
                ..all()
            })
            .await,
            "DryRunOperation",
            "",
        );
        let wrong = DescribeSecurityGroupRulesRequest {
            filters: filter("vpc-id", &[]),
            ..all()
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "The filter 'vpc-id' is invalid",
        );
        let first = ask(DescribeSecurityGroupRulesRequest {
            max_results: Some(5),
            ..all()
        })
        .await
        .expect("a page");
        let next = DescribeSecurityGroupRulesRequest {
            next_token: first.next_token,
            ..all()
        };
        let rest = ask(next)
            .await
            .expect("a page")
            .security_group_rules
            .expect("rules");
        let default_groups = 4;
        assert_eq!(rest.len(), 6 + default_groups - 5);
    }
}
