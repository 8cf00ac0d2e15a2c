//! DescribeVpcs.

use roadstead_api_ec2::{DescribeVpcsRequest, DescribeVpcsResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::filter::Filters;
use crate::lookup::select;
use crate::page::Paging;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DescribeVpcsRequest) -> Result<DescribeVpcsResult> {
    let DescribeVpcsRequest {
        dry_run,
        filters,
        max_results,
        next_token,
        vpc_ids,
    } = input;
    let filters = Filters::new(filters, show::vpc::FILTERS)?;
    let ids = vpc_ids.as_ref().filter(|ids| !ids.is_empty()).map(|_| "vpcIds");
    let paging = Paging::new(
        ctx,
        &format!("DescribeVpcs/{}", filters.scope()),
        max_results,
        next_token,
        ids,
    )?;
    ec2.read(ctx, |realm| {
        let found = select(&realm.vpcs, error::VPC, vpc_ids.as_deref())?;
        super::dry_run(dry_run)?;
        let passed = found
            .into_iter()
            .map(|entry| &entry.value)
            .filter(|vpc| filters.pass(&vpc.tags, |name| show::vpc::values(ctx, vpc, name)));
        let (page, next_token) = paging.cut(ctx, passed, |vpc| vpc.id.to_string());
        let vpcs = page.into_iter().map(|vpc| show::vpc::wire(ctx, vpc)).collect();
        Ok(DescribeVpcsResult {
            next_token,
            vpcs: Some(vpcs),
        })
    })
    .await?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use roadstead_api_ec2::{CreateTagsRequest, DescribeVpcsRequest, Ec2 as _};

    use crate::show::vpc::FILTERS;
    use crate::testing::{Bench, fails, filter, tag};

    #[tokio::test]
    async fn describe_vpcs_pages_through_all_once() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        for i in 0..11 {
            bench.vpc(&format!("10.{i}.0.0/16")).await;
        }
        let mut seen = BTreeSet::new();
        let mut token = None;
        let mut pages = 0;
        loop {
            let input = DescribeVpcsRequest {
                max_results: Some(5),
                next_token: token,
                ..Default::default()
            };
            let answer = bench.ec2.describe_vpcs(&ctx, input).await.expect("a page");
            let vpcs = answer.vpcs.expect("VPCs");
            assert!(vpcs.len() <= 5);
            for vpc in vpcs {
                assert!(seen.insert(vpc.vpc_id), "each once");
            }
            pages += 1;
            token = answer.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), pages), (12, 3));
    }

    #[tokio::test]
    async fn describe_vpcs_refuses_bad_pages() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let default = bench.default_vpc().await.vpc_id.to_string();
        for i in 0..5 {
            bench.vpc(&format!("10.{i}.0.0/16")).await;
        }
        let all = || DescribeVpcsRequest::default();
        let ask = async |input| bench.ec2.describe_vpcs(&ctx, input).await;
        fails(
            ask(DescribeVpcsRequest {
                max_results: Some(4),
                ..all()
            })
            .await,
            "InvalidParameterValue",
            "maxResults",
        );
        fails(
            ask(DescribeVpcsRequest {
                max_results: Some(1001),
                ..all()
            })
            .await,
            "InvalidParameterValue",
            "1000",
        );
        let both = DescribeVpcsRequest {
            max_results: Some(5),
            vpc_ids: Some(vec![default]),
            ..all()
        };
        fails(
            ask(both).await,
            "InvalidParameterCombination",
            "vpcIds cannot be used with the parameter maxResults",
        );
        let forged = DescribeVpcsRequest {
            next_token: Some("forged".to_owned()),
            ..all()
        };
        fails(ask(forged).await, "InvalidNextToken", "NextToken");
        let token = ask(DescribeVpcsRequest {
            max_results: Some(5),
            ..all()
        })
        .await
        .expect("a page")
        .next_token;
        assert!(token.is_some());
        let elsewhere = DescribeVpcsRequest {
            next_token: token,
            filters: filter("state", &["available"]),
            ..all()
        };
        fails(ask(elsewhere).await, "InvalidNextToken", "NextToken");
        fails(
            ask(DescribeVpcsRequest {
                dry_run: Some(true),
                ..all()
            })
            .await,
            "DryRunOperation",
            "",
        );
        let absent = vec!["vpc-aaa".to_owned(), "vpc-bbb".to_owned()];
        fails(
            ask(DescribeVpcsRequest {
                vpc_ids: Some(absent),
                ..all()
            })
            .await,
            "InvalidVpcID.NotFound",
            "The vpc IDs 'vpc-aaa, vpc-bbb' do not exist",
        );
    }

    #[tokio::test]
    async fn describe_vpcs_filters_by_what_it_shows() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await;
        let id = vpc.vpc_id.clone().expect("an id");
        let association = vpc
            .cidr_block_association_set
            .expect("a set")
            .remove(0)
            .association_id
            .expect("an id");
        let tags = CreateTagsRequest {
            resources: vec![id.clone()],
            tags: vec![tag("Name", "mine"), tag("env", "test")],
            ..Default::default()
        };
        bench.ec2.create_tags(&ctx, tags).await.expect("tagged");
        let count = async |name: &str, values: &[&str]| {
            let input = DescribeVpcsRequest {
                filters: filter(name, values),
                ..Default::default()
            };
            bench
                .ec2
                .describe_vpcs(&ctx, input)
                .await
                .expect("an answer")
                .vpcs
                .expect("VPCs")
                .len()
        };
        for (name, value, wanted) in [
            ("cidr", "10.0.0.0/16", 1),
            ("cidr", "10.*", 1),
            ("cidr-block-association.cidr-block", "10.0.0.0/16", 1),
            ("cidr-block-association.association-id", association.as_str(), 1),
            ("cidr-block-association.state", "associated", 2),
            ("dhcp-options-id", "default", 2),
            ("ipv6-cidr-block-association.ipv6-cidr-block", "*", 0),
            ("is-default", "false", 1),
            ("isDefault", "true", 1),
            ("owner-id", "000000000000", 2),
            ("state", "available", 2),
            ("state", "pending", 0),
            ("tag:Name", "mi?e", 1),
            ("tag:Name", "yours", 0),
            ("tag-key", "env", 1),
            ("vpc-id", id.as_str(), 1),
            ("vpc-id", "vpc-*", 2),
        ] {
            assert_eq!(count(name, &[value]).await, wanted, "{name}={value}");
        }
        assert_eq!(count("cidr", &[]).await, 0, "a filter without values");
        for name in FILTERS.iter().filter(|name| **name != "tag:") {
            count(name, &["x"]).await;
        }
        let input = DescribeVpcsRequest {
            filters: filter("colour", &["x"]),
            ..Default::default()
        };
        fails(
            bench.ec2.describe_vpcs(&ctx, input).await,
            "InvalidParameterValue",
            "The filter 'colour' is invalid",
        );
    }
}
