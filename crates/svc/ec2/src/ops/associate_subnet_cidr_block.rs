//! AssociateSubnetCidrBlock: a part of the VPC's IPv6 block for a subnet that has none.

use roadstead_api_ec2::{AssociateSubnetCidrBlockRequest, AssociateSubnetCidrBlockResult};
use roadstead_base::Ctx;

use crate::default_vpc::range;
use crate::error::{self, Result};
use crate::ids::SubnetCidrAssociationId;
use crate::records::{Ipv6Block, Subnet, Vpc};
use crate::service::Ec2;
use crate::world::Realm;
use crate::{cidr, refuse, show};

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: AssociateSubnetCidrBlockRequest,
) -> Result<AssociateSubnetCidrBlockResult> {
    let AssociateSubnetCidrBlockRequest {
        subnet_id,
        ipv6_cidr_block,
        ipv6_ipam_pool_id,
        ipv6_netmask_length,
    } = input;
    refuse::text("Ipv6IpamPoolId", ipv6_ipam_pool_id)?;
    refuse::given("Ipv6NetmaskLength", ipv6_netmask_length)?;
    let text = ipv6_cidr_block
        .filter(|text| !text.is_empty())
        .ok_or_else(|| error::missing("ipv6CidrBlock"))?;
    let subnet = ec2
        .change(ctx, None, |realm, keys, plan| {
            let entry = realm.subnet(&subnet_id)?;
            if entry.value.ipv6.is_some() {
                return Err(error::other(
                    "CidrLimitExceeded",
                    format!("The subnet '{subnet_id}' has met its maximum number of allowed IPv6 CIDRs: 1"),
                ));
            }
            let vpc = realm.vpc(entry.value.vpc.as_str())?;
            let subnet = Subnet {
                ipv6: Some(block(realm, &vpc.value, &text)?),
                ..entry.value.clone()
            };
            plan.unmodified(vpc);
            plan.none_newer_below(&keys.subnet_ranges(&subnet.vpc));
            plan.replace(entry, &subnet)?;
            plan.put(&keys.subnet_range(&subnet.vpc, &subnet.id), &range(&subnet))?;
            Ok(subnet)
        })
        .await?;
    Ok(AssociateSubnetCidrBlockResult {
        ipv6_cidr_block_association: subnet.ipv6.as_ref().map(show::subnet::ipv6),
        subnet_id: Some(subnet.id.into()),
    })
}

/// A block for a subnet of `vpc`, which must be unchanged, with its subnets, when it is written.
pub(super) fn block(realm: &Realm, vpc: &Vpc, text: &str) -> Result<Ipv6Block<SubnetCidrAssociationId>> {
    let others = realm
        .subnets_of(&vpc.id)
        .filter_map(|other| other.value.ipv6.as_ref())
        .map(|block| block.cidr);
    Ok(Ipv6Block {
        cidr: cidr::of_ipv6_subnet(text, vpc.ipv6.as_ref().map(|block| block.cidr), others)?,
        association: SubnetCidrAssociationId::random(),
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AssociateSubnetCidrBlockRequest, CreateSubnetRequest, DescribeSubnetsRequest, Ec2 as _,
        SubnetCidrBlockStateCode,
    };

    use crate::testing::{Bench, fails, filter, refused, within};

    fn of(subnet: &str, cidr: &str) -> AssociateSubnetCidrBlockRequest {
        AssociateSubnetCidrBlockRequest {
            subnet_id: subnet.to_owned(),
            ipv6_cidr_block: Some(cidr.to_owned()),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn associate_subnet_cidr_block_keeps_subnets_apart() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let subnet = bench
            .subnet(&dual.vpc, "10.0.1.0/24")
            .await
            .subnet_id
            .expect("an id");
        let ask = async |input| bench.ec2.associate_subnet_cidr_block(&ctx, input).await;
        let free = within(&dual.vpc_block, 1);
        fails(
            ask(of(&subnet, &dual.subnet_block)).await,
            "InvalidSubnet.Conflict",
            "conflicts with another subnet",
        );
        fails(
            ask(of(&subnet, "fd00:1:2:3::/64")).await,
            "InvalidSubnet.Range",
            "fd00:1:2:3::/64",
        );
        fails(
            ask(of(&subnet, &free.replace("/64", "/72"))).await,
            "InvalidSubnet.Range",
            "/72",
        );
        fails(
            ask(of(&subnet, "10.0.0.0/24")).await,
            "InvalidParameterValue",
            "not a valid IPv6 CIDR block",
        );
        fails(
            ask(AssociateSubnetCidrBlockRequest {
                ipv6_cidr_block: None,
                ..of(&subnet, "")
            })
            .await,
            "MissingParameter",
            "ipv6CidrBlock",
        );
        fails(
            ask(of("subnet-0123", &free)).await,
            "InvalidSubnetID.NotFound",
            "subnet-0123",
        );
        let made = ask(of(&subnet, &free)).await.expect("a block");
        assert_eq!(made.subnet_id.as_deref(), Some(subnet.as_str()));
        let block = made.ipv6_cidr_block_association.expect("a block");
        assert_eq!(block.ipv6_cidr_block.as_deref(), Some(free.as_str()));
        assert_eq!(
            block.ipv6_cidr_block_state.as_ref().and_then(|state| state.state),
            Some(SubnetCidrBlockStateCode::Associated)
        );
        fails(
            ask(of(&subnet, &within(&dual.vpc_block, 2))).await,
            "CidrLimitExceeded",
            &subnet,
        );
        bench.restart().await;
        let id = block.association_id.clone().expect("an id");
        assert!(id.starts_with("subnet-cidr-assoc-"), "{id}");
        for (name, value, wanted) in [
            ("ipv6-cidr-block-association.ipv6-cidr-block", free.as_str(), 1),
            ("ipv6-cidr-block-association.association-id", &id, 1),
            ("ipv6-cidr-block-association.state", "associated", 2),
        ] {
            let input = DescribeSubnetsRequest {
                filters: filter(name, &[value]),
                ..Default::default()
            };
            let shown = bench.ec2.describe_subnets(&ctx, input).await.expect("an answer");
            assert_eq!(shown.subnets.map(|subnets| subnets.len()), Some(wanted), "{name}");
        }
        assert_eq!(
            bench.shown_subnet(&subnet).await.ipv6_cidr_block_association_set,
            Some(vec![block])
        );
    }

    #[tokio::test]
    async fn associate_subnet_cidr_block_knows_no_pools() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let pool = AssociateSubnetCidrBlockRequest {
            ipv6_ipam_pool_id: Some("ipam-pool-1".to_owned()),
            ..of("subnet-0123", "fd00::/64")
        };
        refused(
            bench.ec2.associate_subnet_cidr_block(&ctx, pool).await,
            "Ipv6IpamPoolId",
        );
        let length = AssociateSubnetCidrBlockRequest {
            ipv6_netmask_length: Some(64),
            ..of("subnet-0123", "fd00::/64")
        };
        refused(
            bench.ec2.associate_subnet_cidr_block(&ctx, length).await,
            "Ipv6NetmaskLength",
        );
    }

    #[tokio::test]
    async fn create_subnet_takes_a_part_of_the_vpcs_ipv6_block() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let (plain, _) = bench.network().await;
        let of = |vpc: &str, cidr: &str, ipv6: &str| CreateSubnetRequest {
            vpc_id: vpc.to_owned(),
            cidr_block: Some(cidr.to_owned()),
            ipv6_cidr_block: Some(ipv6.to_owned()),
            ..Default::default()
        };
        let ask = async |input| bench.ec2.create_subnet(&ctx, input).await;
        let free = within(&dual.vpc_block, 7);
        let made = ask(of(&dual.vpc, "10.0.7.0/24", &free)).await.expect("a subnet");
        let made = made.subnet.expect("a subnet");
        let blocks = made.ipv6_cidr_block_association_set.expect("blocks");
        assert_eq!(blocks[0].ipv6_cidr_block.as_deref(), Some(free.as_str()));
        assert_eq!(made.assign_ipv6_address_on_creation, Some(false));
        fails(
            ask(of(&dual.vpc, "10.0.8.0/24", &free)).await,
            "InvalidSubnet.Conflict",
            &free,
        );
        fails(
            ask(of(&plain, "10.0.8.0/24", &free)).await,
            "InvalidSubnet.Range",
            &free,
        );
    }

    #[tokio::test]
    async fn blocks_taken_at_the_same_time_do_not_overlap() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let mut subnets = Vec::new();
        for i in 1..8 {
            let made = bench.subnet(&dual.vpc, &format!("10.0.{i}.0/24")).await;
            subnets.push(made.subnet_id.expect("an id"));
        }
        let free = within(&dual.vpc_block, 9);
        let calls = subnets
            .iter()
            .map(|subnet| bench.ec2.associate_subnet_cidr_block(&ctx, of(subnet, &free)));
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    }
}
