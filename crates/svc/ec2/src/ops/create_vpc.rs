//! CreateVpc.

use roadstead_api_ec2::{CreateVpcRequest, CreateVpcResult, Tenancy};
use roadstead_base::Ctx;

use crate::default_vpc::plan_vpc;
use crate::error::{self, Result};
use crate::service::Ec2;
use crate::{cidr, ipv6, refuse, show, tags};

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: CreateVpcRequest) -> Result<CreateVpcResult> {
    let CreateVpcRequest {
        amazon_provided_ipv6_cidr_block,
        cidr_block,
        dry_run,
        instance_tenancy,
        ipv4_ipam_pool_id,
        ipv4_netmask_length,
        ipv6_cidr_block,
        ipv6_cidr_block_network_border_group,
        ipv6_ipam_pool_id,
        ipv6_netmask_length,
        ipv6_pool,
        tag_specifications,
        vpc_encryption_control,
    } = input;
    refuse::given(
        "InstanceTenancy",
        instance_tenancy.filter(|tenancy| *tenancy != Tenancy::Default),
    )?;
    refuse::text("Ipv4IpamPoolId", ipv4_ipam_pool_id)?;
    refuse::given("Ipv4NetmaskLength", ipv4_netmask_length)?;
    refuse::text("Ipv6CidrBlock", ipv6_cidr_block)?;
    refuse::text("Ipv6IpamPoolId", ipv6_ipam_pool_id)?;
    refuse::given("Ipv6NetmaskLength", ipv6_netmask_length)?;
    refuse::text("Ipv6Pool", ipv6_pool)?;
    refuse::given("VpcEncryptionControl", vpc_encryption_control)?;
    let provided = amazon_provided_ipv6_cidr_block == Some(true);
    ipv6::check_border_group(ctx, provided, ipv6_cidr_block_network_border_group)?;
    let cidr_block = cidr_block
        .filter(|text| !text.is_empty())
        .ok_or_else(|| error::missing("cidrBlock"))?;
    let cidr = cidr::of_vpc(&cidr_block)?;
    let tags = tags::at_creation(&ctx.caller, tag_specifications, "vpc")?;
    let vpc = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let block = provided.then(|| ipv6::new_block(realm));
            plan_vpc(keys, plan, cidr, block, false, tags.clone())
        })
        .await?;
    Ok(CreateVpcResult {
        vpc: Some(show::vpc::wire(ctx, &vpc)),
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        CreateVpcRequest, DescribeVpcsRequest, Ec2 as _, Tenancy, VpcEncryptionControlConfiguration,
    };

    use crate::testing::{Bench, fails, refused, tag, tagged};

    fn of(cidr: &str) -> CreateVpcRequest {
        CreateVpcRequest {
            cidr_block: Some(cidr.to_owned()),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn create_vpc_files_the_canonical_block() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let input = CreateVpcRequest {
            instance_tenancy: Some(Tenancy::Default),
            tag_specifications: tagged("vpc", "Name", "mine"),
            ..of("100.68.0.18/18")
        };
        let vpc = bench
            .ec2
            .create_vpc(&ctx, input)
            .await
            .expect("a VPC")
            .vpc
            .expect("a VPC");
        assert_eq!(vpc.cidr_block.as_deref(), Some("100.68.0.0/18"));
        assert_eq!(
            (vpc.is_default, vpc.tags.clone()),
            (Some(false), Some(vec![tag("Name", "mine")]))
        );
        let id = vpc.vpc_id.clone().expect("an id");
        assert!(id.starts_with("vpc-") && id.len() == 21, "{id}");
        bench.restart().await;
        let shown = DescribeVpcsRequest {
            vpc_ids: Some(vec![id]),
            ..Default::default()
        };
        assert_eq!(
            bench
                .ec2
                .describe_vpcs(&ctx, shown)
                .await
                .expect("an answer")
                .vpcs,
            Some(vec![vpc])
        );
    }

    #[tokio::test]
    async fn create_vpc_makes_a_group_whose_members_reach_each_other() {
        let bench = Bench::new().await;
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let groups = bench
            .ec2
            .describe_security_groups(
                &bench.root(),
                roadstead_api_ec2::DescribeSecurityGroupsRequest {
                    filters: crate::testing::filter("vpc-id", &[&vpc]),
                    ..Default::default()
                },
            )
            .await
            .expect("an answer")
            .security_groups
            .expect("groups");
        assert_eq!(groups.len(), 1);
        let group = &groups[0];
        assert_eq!(group.group_name.as_deref(), Some("default"));
        assert_eq!(group.description.as_deref(), Some("default VPC security group"));
        let ingress = &group.ip_permissions.as_ref().expect("permissions")[0];
        assert_eq!(ingress.ip_protocol.as_deref(), Some("-1"));
        assert_eq!(
            ingress.user_id_group_pairs.as_ref().expect("pairs")[0].group_id,
            group.group_id
        );
        let egress = &group.ip_permissions_egress.as_ref().expect("permissions")[0];
        assert_eq!(
            egress.ip_ranges.as_ref().expect("ranges")[0].cidr_ip.as_deref(),
            Some("0.0.0.0/0")
        );
    }

    #[tokio::test]
    async fn create_vpc_refuses_bad_blocks() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        fails(
            bench.ec2.create_vpc(&ctx, of("10.0.0.0/8")).await,
            "InvalidVpc.Range",
            "10.0.0.0/8",
        );
        fails(
            bench.ec2.create_vpc(&ctx, of("10.0.0.0/29")).await,
            "InvalidVpc.Range",
            "10.0.0.0/29",
        );
        fails(
            bench.ec2.create_vpc(&ctx, of("x")).await,
            "InvalidParameterValue",
            "cidrBlock",
        );
        fails(
            bench.ec2.create_vpc(&ctx, of("")).await,
            "MissingParameter",
            "cidrBlock",
        );
        fails(
            bench.ec2.create_vpc(&ctx, CreateVpcRequest::default()).await,
            "MissingParameter",
            "cidrBlock",
        );
        let wrong = CreateVpcRequest {
            tag_specifications: tagged("subnet", "a", "b"),
            ..of("10.0.0.0/16")
        };
        fails(
            bench.ec2.create_vpc(&ctx, wrong).await,
            "InvalidParameterValue",
            "taggable resource type",
        );
    }

    #[tokio::test]
    async fn create_vpc_dry_run_changes_nothing() {
        let bench = Bench::new().await;
        let dry = || CreateVpcRequest {
            dry_run: Some(true),
            ..of("10.0.0.0/16")
        };
        fails(
            bench.ec2.create_vpc(&bench.root(), dry()).await,
            "DryRunOperation",
            "would have succeeded",
        );
        fails(
            bench.ec2.create_vpc(&bench.node(), dry()).await,
            "UnauthorizedOperation",
            "not authorized",
        );
        fails(
            bench.ec2.create_vpc(&bench.node(), of("10.0.0.0/16")).await,
            "UnauthorizedOperation",
            "",
        );
        let all = bench
            .ec2
            .describe_vpcs(&bench.root(), DescribeVpcsRequest::default())
            .await;
        assert_eq!(
            all.expect("an answer").vpcs.map(|vpcs| vpcs.len()),
            Some(1),
            "the default VPC alone"
        );
    }

    #[tokio::test]
    async fn create_vpc_refuses_by_name_what_it_cannot_do() {
        let bench = Bench::new().await;
        let text = || Some("x".to_owned());
        let base = || of("10.0.0.0/16");
        let requests = [
            (
                "InstanceTenancy",
                CreateVpcRequest {
                    instance_tenancy: Some(Tenancy::Dedicated),
                    ..base()
                },
            ),
            (
                "Ipv4IpamPoolId",
                CreateVpcRequest {
                    ipv4_ipam_pool_id: text(),
                    ..base()
                },
            ),
            (
                "Ipv4NetmaskLength",
                CreateVpcRequest {
                    ipv4_netmask_length: Some(20),
                    ..base()
                },
            ),
            (
                "Ipv6CidrBlock",
                CreateVpcRequest {
                    ipv6_cidr_block: text(),
                    ..base()
                },
            ),
            (
                "Ipv6CidrBlockNetworkBorderGroup",
                CreateVpcRequest {
                    amazon_provided_ipv6_cidr_block: Some(true),
                    ipv6_cidr_block_network_border_group: text(),
                    ..base()
                },
            ),
            (
                "Ipv6IpamPoolId",
                CreateVpcRequest {
                    ipv6_ipam_pool_id: text(),
                    ..base()
                },
            ),
            (
                "Ipv6NetmaskLength",
                CreateVpcRequest {
                    ipv6_netmask_length: Some(56),
                    ..base()
                },
            ),
            (
                "Ipv6Pool",
                CreateVpcRequest {
                    ipv6_pool: text(),
                    ..base()
                },
            ),
            (
                "VpcEncryptionControl",
                CreateVpcRequest {
                    vpc_encryption_control: Some(VpcEncryptionControlConfiguration::default()),
                    ..base()
                },
            ),
        ];
        for (member, request) in requests {
            refused(bench.ec2.create_vpc(&bench.root(), request).await, member);
        }
        let nothing_asked = CreateVpcRequest {
            amazon_provided_ipv6_cidr_block: Some(false),
            ..base()
        };
        assert!(bench.ec2.create_vpc(&bench.root(), nothing_asked).await.is_ok());
    }
}
