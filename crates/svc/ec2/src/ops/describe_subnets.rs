//! DescribeSubnets.

use roadstead_api_ec2::{DescribeSubnetsRequest, DescribeSubnetsResult};
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
    input: DescribeSubnetsRequest,
) -> Result<DescribeSubnetsResult> {
    let DescribeSubnetsRequest {
        dry_run,
        filters,
        max_results,
        next_token,
        subnet_ids,
    } = input;
    let filters = Filters::new(filters, show::subnet::FILTERS)?;
    let ids = subnet_ids
        .as_ref()
        .filter(|ids| !ids.is_empty())
        .map(|_| "subnetIds");
    let paging = Paging::new(
        ctx,
        &format!("DescribeSubnets/{}", filters.scope()),
        max_results,
        next_token,
        ids,
    )?;
    let zones = ec2.zones(&ctx.region);
    ec2.read(ctx, |realm| {
        let view = show::subnet::View {
            ctx,
            realm,
            zones: &zones,
        };
        let found = select(&realm.subnets, error::SUBNET, subnet_ids.as_deref())?;
        super::dry_run(dry_run)?;
        let passed = found
            .into_iter()
            .map(|entry| &entry.value)
            .filter(|subnet| filters.pass(&subnet.tags, |name| view.values(subnet, name)));
        let (page, next_token) = paging.cut(ctx, passed, |subnet| subnet.id.to_string());
        let subnets = page.into_iter().map(|subnet| view.wire(subnet)).collect();
        Ok(DescribeSubnetsResult {
            next_token,
            subnets: Some(subnets),
        })
    })
    .await?
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{CreateTagsRequest, DescribeSubnetsRequest, Ec2 as _};

    use crate::show::subnet::FILTERS;
    use crate::testing::{Bench, fails, filter, tag};

    #[tokio::test]
    async fn describe_subnets_filters_by_what_it_shows() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        bench.interface(&ctx, &subnet).await;
        let tags = CreateTagsRequest {
            resources: vec![subnet.clone()],
            tags: vec![tag("Name", "mine")],
            ..Default::default()
        };
        bench.ec2.create_tags(&ctx, tags).await.expect("tagged");
        let count = async |name: &str, value: &str| {
            let input = DescribeSubnetsRequest {
                filters: filter(name, &[value]),
                ..Default::default()
            };
            bench
                .ec2
                .describe_subnets(&ctx, input)
                .await
                .expect("an answer")
                .subnets
                .expect("subnets")
                .len()
        };
        for (name, value, wanted) in [
            ("availability-zone", "us-east-1a", 2),
            ("availabilityZone", "us-east-1b", 1),
            ("availability-zone-id", "use1-az3", 1),
            ("availabilityZoneId", "use1-az1", 2),
            ("available-ip-address-count", "250", 1),
            ("available-ip-address-count", "4091", 3),
            ("cidr-block", "10.0.0.0/24", 1),
            ("cidr", "172.31.*", 3),
            ("cidrBlock", "172.31.16.0/20", 1),
            ("default-for-az", "true", 3),
            ("defaultForAz", "false", 1),
            ("ipv6-native", "false", 4),
            ("map-public-ip-on-launch", "true", 0),
            ("owner-id", "000000000000", 4),
            ("private-dns-name-options-on-launch.hostname-type", "ip-name", 4),
            ("state", "available", 4),
            (
                "subnet-arn",
                &format!("arn:aws:ec2:us-east-1:000000000000:subnet/{subnet}"),
                1,
            ),
            ("subnet-id", &subnet, 1),
            ("tag:Name", "mine", 1),
            ("tag-key", "Name", 1),
            ("vpc-id", &vpc, 1),
            ("outpost-arn", "*", 0),
        ] {
            assert_eq!(count(name, value).await, wanted, "{name}={value}");
        }
        for name in FILTERS.iter().filter(|name| **name != "tag:") {
            count(name, "x").await;
        }
    }

    #[tokio::test]
    async fn describe_subnets_by_id_and_page() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        for i in 0..5 {
            bench.subnet(&vpc, &format!("10.0.{i}.0/24")).await;
        }
        let all = || DescribeSubnetsRequest::default();
        let ask = async |input| bench.ec2.describe_subnets(&ctx, input).await;
        let first = ask(DescribeSubnetsRequest {
            max_results: Some(5),
            ..all()
        })
        .await
        .expect("a page");
        let rest = ask(DescribeSubnetsRequest {
            max_results: Some(5),
            next_token: first.next_token,
            ..all()
        })
        .await;
        let rest = rest.expect("a page");
        assert_eq!(
            (first.subnets.map(|s| s.len()), rest.subnets.map(|s| s.len())),
            (Some(5), Some(3))
        );
        assert_eq!(rest.next_token, None);
        let by_id = DescribeSubnetsRequest {
            subnet_ids: Some(vec!["subnet-0123".to_owned()]),
            ..all()
        };
        fails(
            ask(by_id).await,
            "InvalidSubnetID.NotFound",
            "The subnet ID 'subnet-0123' does not exist",
        );
        let both = DescribeSubnetsRequest {
            subnet_ids: Some(vec!["subnet-0123".to_owned()]),
            max_results: Some(5),
            ..all()
        };
        fails(ask(both).await, "InvalidParameterCombination", "subnetIds");
        fails(
            ask(DescribeSubnetsRequest {
                dry_run: Some(true),
                ..all()
            })
            .await,
            "DryRunOperation",
            "",
        );
        let wrong = DescribeSubnetsRequest {
            filters: filter("Vpc-Id", &["x"]),
            ..all()
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "The filter 'Vpc-Id' is invalid",
        );
    }
}
