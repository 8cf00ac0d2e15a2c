//! AssociateVpcCidrBlock: the platform's IPv6 block for a VPC that has none. With it comes what lets IPv6 out
//! of the groups whose outbound rules nobody has touched, as the user guide has it.

use roadstead_api_ec2::{AssociateVpcCidrBlockRequest, AssociateVpcCidrBlockResult};
use roadstead_base::Ctx;
use roadstead_store::Entry;

use crate::default_vpc::all_ipv6_out;
use crate::error::{self, Result};
use crate::records::{Group, Peer, Traffic, Vpc};
use crate::service::Ec2;
use crate::{ipv6, refuse, show};

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: AssociateVpcCidrBlockRequest,
) -> Result<AssociateVpcCidrBlockResult> {
    let AssociateVpcCidrBlockRequest {
        vpc_id,
        amazon_provided_ipv6_cidr_block,
        cidr_block,
        ipv4_ipam_pool_id,
        ipv4_netmask_length,
        ipv6_cidr_block,
        ipv6_cidr_block_network_border_group,
        ipv6_ipam_pool_id,
        ipv6_netmask_length,
        ipv6_pool,
    } = input;
    refuse::text("CidrBlock", cidr_block)?;
    refuse::text("Ipv4IpamPoolId", ipv4_ipam_pool_id)?;
    refuse::given("Ipv4NetmaskLength", ipv4_netmask_length)?;
    refuse::text("Ipv6CidrBlock", ipv6_cidr_block)?;
    refuse::text("Ipv6IpamPoolId", ipv6_ipam_pool_id)?;
    refuse::given("Ipv6NetmaskLength", ipv6_netmask_length)?;
    refuse::text("Ipv6Pool", ipv6_pool)?;
    let provided = amazon_provided_ipv6_cidr_block == Some(true);
    ipv6::check_border_group(ctx, provided, ipv6_cidr_block_network_border_group)?;
    if !provided {
        return Err(error::missing("amazonProvidedIpv6CidrBlock"));
    }
    let vpc = ec2
        .change(ctx, None, |realm, keys, plan| {
            let entry = realm.vpc(&vpc_id)?;
            if entry.value.ipv6.is_some() {
                return Err(error::other(
                    "CidrLimitExceeded",
                    format!("This network '{vpc_id}' has met its maximum number of allowed IPv6 CIDRs: 1"),
                ));
            }
            let vpc = Vpc {
                ipv6: Some(ipv6::new_block(realm)),
                ..entry.value.clone()
            };
            plan.replace(entry, &vpc)?;
            plan.none_newer_below(&keys.group_names(&vpc.id));
            let untouched = realm.groups_of(&vpc.id).filter(|group| lets_all_ipv4_out(group));
            for group in untouched.take(plan.room()) {
                let mut opened = group.value.clone();
                opened.rules.push(all_ipv6_out());
                plan.replace(group, &opened)?;
            }
            Ok(vpc)
        })
        .await?;
    Ok(AssociateVpcCidrBlockResult {
        cidr_block_association: None,
        ipv6_cidr_block_association: vpc.ipv6.as_ref().map(|block| show::vpc::ipv6(ctx, block)),
        vpc_id: Some(vpc.id.into()),
    })
}

/// Whether the outbound rules of a group are the one that it was made with.
fn lets_all_ipv4_out(group: &Entry<Group>) -> bool {
    let mut outbound = group.value.rules.iter().filter(|rule| rule.permit.egress);
    let first = outbound.next();
    first.is_some_and(|rule| {
        rule.permit.traffic == Traffic::All
            && matches!(rule.permit.peer, Peer::V4(net) if net.prefix_len() == 0)
    }) && outbound.next().is_none()
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AssociateVpcCidrBlockRequest, CreateVpcRequest, DescribeVpcsRequest, Ec2 as _,
        RevokeSecurityGroupEgressRequest, VpcCidrBlockStateCode,
    };

    use crate::testing::{Bench, fails, filter, outbound_ipv6, refused};

    fn of(vpc: &str) -> AssociateVpcCidrBlockRequest {
        AssociateVpcCidrBlockRequest {
            vpc_id: vpc.to_owned(),
            amazon_provided_ipv6_cidr_block: Some(true),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn associate_vpc_cidr_block_gives_one_block_and_keeps_it() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let ask = async |input| bench.ec2.associate_vpc_cidr_block(&ctx, input).await;
        let border = AssociateVpcCidrBlockRequest {
            ipv6_cidr_block_network_border_group: Some("us-east-1".to_owned()),
            ..of(&vpc)
        };
        let made = ask(border).await.expect("a block");
        assert_eq!(made.vpc_id.as_deref(), Some(vpc.as_str()));
        let block = made.ipv6_cidr_block_association.expect("a block");
        let cidr = block.ipv6_cidr_block.clone().expect("a block");
        assert!(cidr.starts_with("fd") && cidr.ends_with("/56"), "{cidr}");
        let id = block.association_id.clone().expect("an id");
        assert!(id.starts_with("vpc-cidr-assoc-"), "{id}");
        assert_eq!(
            block.ipv6_cidr_block_state.as_ref().and_then(|state| state.state),
            Some(VpcCidrBlockStateCode::Associated)
        );
        fails(ask(of(&vpc)).await, "CidrLimitExceeded", "IPv6 CIDRs: 1");
        fails(ask(of("vpc-0123")).await, "InvalidVpcID.NotFound", "vpc-0123");
        bench.restart().await;
        for (name, value) in [
            ("ipv6-cidr-block-association.ipv6-cidr-block", cidr.as_str()),
            ("ipv6-cidr-block-association.association-id", &id),
            ("ipv6-cidr-block-association.ipv6-pool", "Amazon"),
            ("ipv6-cidr-block-association.state", "associated"),
        ] {
            let input = DescribeVpcsRequest {
                filters: filter(name, &[value]),
                ..Default::default()
            };
            let shown = bench.ec2.describe_vpcs(&ctx, input).await.expect("an answer");
            let shown = shown.vpcs.expect("VPCs");
            assert_eq!(shown.len(), 1, "{name}");
            assert_eq!(
                shown[0].ipv6_cidr_block_association_set,
                Some(vec![block.clone()]),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn an_ipv6_block_opens_the_way_out_unless_somebody_chose() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let (open, closed) = (bench.group(&vpc, "open").await, bench.group(&vpc, "closed").await);
        let revoke = RevokeSecurityGroupEgressRequest {
            group_id: closed.clone(),
            ip_permissions: bench.shown_group(&closed).await.ip_permissions_egress,
            ..Default::default()
        };
        bench
            .ec2
            .revoke_security_group_egress(&ctx, revoke)
            .await
            .expect("closed");
        assert!(!outbound_ipv6(&bench.shown_group(&open).await));
        bench
            .ec2
            .associate_vpc_cidr_block(&ctx, of(&vpc))
            .await
            .expect("a block");
        assert!(outbound_ipv6(&bench.shown_group(&open).await));
        assert!(!outbound_ipv6(&bench.shown_group(&closed).await));
        let later = bench.group(&vpc, "later").await;
        assert!(outbound_ipv6(&bench.shown_group(&later).await));
    }

    #[tokio::test]
    async fn create_vpc_with_an_ipv6_block_has_the_same_from_the_start() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let input = |amazon_provided_ipv6_cidr_block, group: Option<&str>| CreateVpcRequest {
            cidr_block: Some("10.0.0.0/16".to_owned()),
            amazon_provided_ipv6_cidr_block,
            ipv6_cidr_block_network_border_group: group.map(str::to_owned),
            ..Default::default()
        };
        let made = bench.ec2.create_vpc(&ctx, input(Some(true), None)).await;
        let vpc = made.expect("a VPC").vpc.expect("a VPC");
        let id = vpc.vpc_id.clone().expect("an id");
        assert_eq!(
            vpc.ipv6_cidr_block_association_set.map(|blocks| blocks.len()),
            Some(1)
        );
        fails(
            bench.ec2.associate_vpc_cidr_block(&ctx, of(&id)).await,
            "CidrLimitExceeded",
            "",
        );
        let groups = bench
            .ec2
            .describe_security_groups(
                &ctx,
                roadstead_api_ec2::DescribeSecurityGroupsRequest {
                    filters: filter("vpc-id", &[&id]),
                    ..Default::default()
                },
            )
            .await;
        let groups = groups.expect("an answer").security_groups.expect("groups");
        assert!(groups.len() == 1 && outbound_ipv6(&groups[0]));
        fails(
            bench.ec2.create_vpc(&ctx, input(None, Some("us-east-1"))).await,
            "InvalidParameterCombination",
            "amazonProvidedIpv6CidrBlock",
        );
        refused(
            bench
                .ec2
                .create_vpc(&ctx, input(Some(true), Some("us-east-1-wl1")))
                .await,
            "Ipv6CidrBlockNetworkBorderGroup",
        );
    }

    #[tokio::test]
    async fn associate_vpc_cidr_block_refuses_by_name_what_it_cannot_do() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let text = || Some("x".to_owned());
        let base = || of(&vpc);
        let requests = [
            (
                "CidrBlock",
                AssociateVpcCidrBlockRequest {
                    cidr_block: text(),
                    ..base()
                },
            ),
            (
                "Ipv4IpamPoolId",
                AssociateVpcCidrBlockRequest {
                    ipv4_ipam_pool_id: text(),
                    ..base()
                },
            ),
            (
                "Ipv4NetmaskLength",
                AssociateVpcCidrBlockRequest {
                    ipv4_netmask_length: Some(20),
                    ..base()
                },
            ),
            (
                "Ipv6CidrBlock",
                AssociateVpcCidrBlockRequest {
                    ipv6_cidr_block: text(),
                    ..base()
                },
            ),
            (
                "Ipv6CidrBlockNetworkBorderGroup",
                AssociateVpcCidrBlockRequest {
                    ipv6_cidr_block_network_border_group: text(),
                    ..base()
                },
            ),
            (
                "Ipv6IpamPoolId",
                AssociateVpcCidrBlockRequest {
                    ipv6_ipam_pool_id: text(),
                    ..base()
                },
            ),
            (
                "Ipv6NetmaskLength",
                AssociateVpcCidrBlockRequest {
                    ipv6_netmask_length: Some(56),
                    ..base()
                },
            ),
            (
                "Ipv6Pool",
                AssociateVpcCidrBlockRequest {
                    ipv6_pool: text(),
                    ..base()
                },
            ),
        ];
        for (member, request) in requests {
            refused(bench.ec2.associate_vpc_cidr_block(&ctx, request).await, member);
        }
        let nothing = AssociateVpcCidrBlockRequest {
            amazon_provided_ipv6_cidr_block: Some(false),
            ..base()
        };
        fails(
            bench.ec2.associate_vpc_cidr_block(&ctx, nothing).await,
            "MissingParameter",
            "amazonProvidedIpv6CidrBlock",
        );
        fails(
            bench.ec2.associate_vpc_cidr_block(&bench.node(), base()).await,
            "UnauthorizedOperation",
            "",
        );
    }
}
