//! CreateDefaultVpc: for owners who deleted theirs.

use roadstead_api_ec2::{CreateDefaultVpcRequest, CreateDefaultVpcResult};
use roadstead_base::Ctx;

use crate::error::Result;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: CreateDefaultVpcRequest,
) -> Result<CreateDefaultVpcResult> {
    let CreateDefaultVpcRequest { dry_run } = input;
    let vpc = ec2.make_default_vpc(ctx, dry_run).await?;
    Ok(CreateDefaultVpcResult {
        vpc: Some(show::vpc::wire(ctx, &vpc)),
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        CreateDefaultVpcRequest, DeleteSubnetRequest, DeleteVpcRequest, DescribeVpcsRequest, Ec2 as _,
    };
    use roadstead_base::Caller;

    use crate::error::Error;
    use crate::service::Options;
    use crate::testing::{Bench, fails, filter};

    #[tokio::test]
    async fn a_default_vpc_is_there_at_first_use_of_each_account_and_region() {
        let bench = Bench::new().await;
        let made = bench.default_vpc().await;
        assert_eq!(made.cidr.to_string(), "172.31.0.0/16");
        let subnets: Vec<_> = made
            .subnets
            .iter()
            .map(|s| (s.availability_zone.as_str(), s.cidr.to_string()))
            .collect();
        let wanted = [
            ("us-east-1a", "172.31.0.0/20"),
            ("us-east-1b", "172.31.16.0/20"),
            ("us-east-1c", "172.31.32.0/20"),
        ];
        assert_eq!(subnets, wanted.map(|(zone, cidr)| (zone, cidr.to_owned())));
        assert_eq!(bench.default_vpc().await, made, "the second time it is the same");
        let shown = bench.shown_subnet(made.subnets[0].subnet_id.as_str()).await;
        assert_eq!(
            (shown.default_for_az, shown.available_ip_address_count),
            (Some(true), Some(4091))
        );
        let group = bench.shown_group(made.group_id.as_str()).await;
        assert_eq!(group.group_name.as_deref(), Some("default"));
        for (account, region) in [("111111111111", "us-east-1"), ("000000000000", "eu-west-1")] {
            let ctx = bench.ctx_of(Caller::Root, account, region);
            let input = DescribeVpcsRequest {
                filters: filter("is-default", &["true"]),
                ..Default::default()
            };
            let vpcs = bench
                .ec2
                .describe_vpcs(&ctx, input)
                .await
                .expect("an answer")
                .vpcs
                .expect("VPCs");
            assert_eq!(vpcs.len(), 1);
            assert_ne!(
                vpcs[0].vpc_id.as_deref(),
                Some(made.vpc_id.as_str()),
                "one of its own"
            );
        }
    }

    #[tokio::test]
    async fn first_uses_at_the_same_time_make_one_default_vpc() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let calls = (0..16).map(|_| bench.ec2.describe_vpcs(&ctx, DescribeVpcsRequest::default()));
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.expect("an answer").vpcs.map(|vpcs| vpcs.len()), Some(1));
        }
    }

    #[tokio::test]
    async fn a_deleted_default_vpc_stays_deleted_until_it_is_asked_for() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let made = bench.default_vpc().await;
        let again = |dry_run| CreateDefaultVpcRequest { dry_run };
        fails(
            bench.ec2.create_default_vpc(&ctx, again(None)).await,
            "DefaultVpcAlreadyExists",
            "already exists",
        );
        for subnet in &made.subnets {
            let input = DeleteSubnetRequest {
                subnet_id: subnet.subnet_id.to_string(),
                ..Default::default()
            };
            bench.ec2.delete_subnet(&ctx, input).await.expect("gone");
        }
        let input = DeleteVpcRequest {
            vpc_id: made.vpc_id.to_string(),
            ..Default::default()
        };
        bench.ec2.delete_vpc(&ctx, input).await.expect("gone");
        bench.restart().await;
        assert_eq!(bench.ec2.ensure_default_vpc(&ctx.partition()).await, Ok(None));
        fails(
            bench.ec2.create_default_vpc(&ctx, again(Some(true))).await,
            "DryRunOperation",
            "",
        );
        let vpc = bench
            .ec2
            .create_default_vpc(&ctx, again(None))
            .await
            .expect("a VPC")
            .vpc
            .expect("a VPC");
        assert_eq!(
            (vpc.is_default, vpc.cidr_block.as_deref()),
            (Some(true), Some("172.31.0.0/16"))
        );
        let now = bench.default_vpc().await;
        assert_eq!(Some(now.vpc_id.as_str()), vpc.vpc_id.as_deref());
        assert_eq!(now.subnets.len(), 3);
    }

    #[tokio::test]
    async fn the_default_block_is_the_operators_choice() {
        let options = |cidr: &str, zones| Options {
            default_vpc_cidr: cidr.parse().expect("a net"),
            zones,
        };
        let bench = Bench::with(options("10.99.3.7/24", 2)).await;
        let made = bench.default_vpc().await;
        assert_eq!(made.cidr.to_string(), "10.99.3.0/24");
        let cidrs: Vec<_> = made
            .subnets
            .iter()
            .map(|subnet| subnet.cidr.to_string())
            .collect();
        assert_eq!(cidrs, ["10.99.3.0/28", "10.99.3.16/28"]);
        let start = async |options| {
            crate::Ec2::new(bench.store.clone(), bench.clock.clone(), options)
                .await
                .err()
        };
        assert!(matches!(
            start(options("10.0.0.0/27", 3)).await,
            Some(Error::DefaultVpcCidr { .. })
        ));
        assert!(matches!(
            start(options("10.0.0.0/8", 3)).await,
            Some(Error::Cidr(_))
        ));
        assert!(matches!(
            start(options("169.254.0.0/16", 3)).await,
            Some(Error::Cidr(_))
        ));
        assert!(matches!(
            start(options("10.0.0.0/16", 0)).await,
            Some(Error::Zones(0))
        ));
    }
}
