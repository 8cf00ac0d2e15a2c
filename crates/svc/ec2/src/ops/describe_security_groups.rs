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

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupIngressRequest, CreateTagsRequest,
        DescribeSecurityGroupsRequest, Ec2 as _, IpPermission, Ipv6Range, UserIdGroupPair,
    };

    use crate::show::group::FILTERS;
    use crate::testing::{Bench, fails, filter, tag, tcp};

    #[tokio::test]
    async fn describe_security_groups_filters_by_what_it_shows() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
        let from_web = IpPermission {
            ip_protocol: Some("udp".to_owned()),
            from_port: Some(53),
            to_port: Some(54),
            user_id_group_pairs: Some(vec![UserIdGroupPair {
                group_id: Some(web.clone()),
                ..Default::default()
            }]),
            ipv6_ranges: Some(vec![Ipv6Range {
                cidr_ipv6: Some("2001:db8::/32".to_owned()),
                description: None,
            }]),
            ..Default::default()
        };
        let input = AuthorizeSecurityGroupIngressRequest {
            group_id: Some(db.clone()),
            ip_permissions: Some(vec![tcp(80, "192.0.2.0/24"), from_web.clone()]),
            ..Default::default()
        };
        bench
            .ec2
            .authorize_security_group_ingress(&ctx, input)
            .await
            .expect("rules");
        let input = AuthorizeSecurityGroupEgressRequest {
            group_id: db.clone(),
            ip_permissions: Some(vec![tcp(443, "198.51.100.0/24"), from_web]),
            ..Default::default()
        };
        bench
            .ec2
            .authorize_security_group_egress(&ctx, input)
            .await
            .expect("rules");
        let tags = CreateTagsRequest {
            resources: vec![db.clone()],
            tags: vec![tag("tier", "db")],
            ..Default::default()
        };
        bench.ec2.create_tags(&ctx, tags).await.expect("tagged");
        let found = async |name: &str, value: &str| {
            let input = DescribeSecurityGroupsRequest {
                filters: filter(name, &[value]),
                ..Default::default()
            };
            let groups = bench
                .ec2
                .describe_security_groups(&ctx, input)
                .await
                .expect("an answer");
            groups.security_groups.expect("groups").len()
        };
        for (name, value, wanted) in [
            ("description", "a group", 2),
            ("group-id", &web, 1),
            ("group-name", "default", 2),
            ("vpc-id", &vpc, 3),
            ("owner-id", "000000000000", 4),
            ("tag:tier", "db", 1),
            ("tag-key", "tier", 1),
            ("ip-permission.cidr", "192.0.2.0/24", 1),
            ("ip-permission.cidr", "0.0.0.0/0", 0),
            ("ip-permission.from-port", "53", 1),
            ("ip-permission.to-port", "54", 1),
            ("ip-permission.group-id", &web, 1),
            ("ip-permission.group-name", "web", 1),
            ("ip-permission.ipv6-cidr", "2001:db8::/32", 1),
            ("ip-permission.protocol", "tcp", 1),
            ("ip-permission.protocol", "-1", 2),
            ("ip-permission.user-id", "000000000000", 3),
            ("egress.ip-permission.cidr", "0.0.0.0/0", 4),
            ("egress.ip-permission.cidr", "198.51.100.0/24", 1),
            ("egress.ip-permission.from-port", "443", 1),
            ("egress.ip-permission.to-port", "443", 1),
            ("egress.ip-permission.group-id", &web, 1),
            ("egress.ip-permission.group-name", "web", 1),
            ("egress.ip-permission.ipv6-cidr", "2001:db8::/32", 1),
            ("egress.ip-permission.protocol", "udp", 1),
            ("egress.ip-permission.user-id", "000000000000", 1),
            ("ip-permission.prefix-list-id", "*", 0),
        ] {
            assert_eq!(found(name, value).await, wanted, "{name}={value}");
        }
        for name in FILTERS.iter().filter(|name| **name != "tag:") {
            found(name, "x").await;
        }
    }

    #[tokio::test]
    async fn describe_security_groups_by_id_name_and_page() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let default = bench.default_vpc().await;
        for i in 0..6 {
            bench.group(default.vpc_id.as_str(), &format!("g{i}")).await;
        }
        let all = || DescribeSecurityGroupsRequest::default();
        let ask = async |input| bench.ec2.describe_security_groups(&ctx, input).await;
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let named = ask(DescribeSecurityGroupsRequest {
            group_names: list(&["g1", "default"]),
            ..all()
        })
        .await;
        assert_eq!(
            named
                .expect("an answer")
                .security_groups
                .map(|groups| groups.len()),
            Some(2)
        );
        let absent = DescribeSecurityGroupsRequest {
            group_names: list(&["nobody"]),
            ..all()
        };
        fails(
            ask(absent).await,
            "InvalidGroup.NotFound",
            "does not exist in default VPC",
        );
        let absent = DescribeSecurityGroupsRequest {
            group_ids: list(&["sg-0123"]),
            ..all()
        };
        fails(
            ask(absent).await,
            "InvalidGroup.NotFound",
            "The security group 'sg-0123' does not exist",
        );
        let malformed = DescribeSecurityGroupsRequest {
            group_ids: list(&["g1"]),
            ..all()
        };
        fails(
            ask(malformed).await,
            "InvalidGroupId.Malformed",
            "Invalid id: \"g1\" (expecting \"sg-...\")",
        );
        for both in [
            DescribeSecurityGroupsRequest {
                group_ids: list(&["sg-0123"]),
                max_results: Some(5),
                ..all()
            },
            DescribeSecurityGroupsRequest {
                group_names: list(&["g1"]),
                max_results: Some(5),
                ..all()
            },
        ] {
            fails(ask(both).await, "InvalidParameterCombination", "maxResults");
        }
        let first = ask(DescribeSecurityGroupsRequest {
            max_results: Some(5),
            ..all()
        })
        .await
        .expect("a page");
        let next = DescribeSecurityGroupsRequest {
            next_token: first.next_token,
            ..all()
        };
        assert_eq!(
            ask(next)
                .await
                .expect("a page")
                .security_groups
                .map(|groups| groups.len()),
            Some(2)
        );
        fails(
            ask(DescribeSecurityGroupsRequest {
                dry_run: Some(true),
                ..all()
            })
            .await,
            "DryRunOperation",
            "",
        );
        let wrong = DescribeSecurityGroupsRequest {
            filters: filter("x", &[]),
            ..all()
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "The filter 'x' is invalid",
        );
    }
}
