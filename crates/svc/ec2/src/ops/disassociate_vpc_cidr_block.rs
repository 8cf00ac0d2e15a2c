//! DisassociateVpcCidrBlock: an IPv6 block that no subnet has a part of. The block that a VPC was created
//! with stays.

use roadstead_api_ec2::{
    DisassociateVpcCidrBlockRequest, DisassociateVpcCidrBlockResult, VpcCidrBlockStateCode,
};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::records::Vpc;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DisassociateVpcCidrBlockRequest,
) -> Result<DisassociateVpcCidrBlockResult> {
    let DisassociateVpcCidrBlockRequest { association_id } = input;
    error::VPC_CIDR.check(&association_id)?;
    let (vpc, block) = ec2
        .change(ctx, None, |realm, keys, plan| {
            if let Some(vpc) = realm
                .vpcs
                .values()
                .find(|vpc| vpc.value.association.as_str() == association_id)
            {
                return Err(error::other(
                    "OperationNotPermitted",
                    format!(
                        "The vpc CIDR block with association ID {association_id} may not be disassociated. It is the \
                         primary IPv4 CIDR block of the VPC {}",
                        vpc.value.id
                    ),
                ));
            }
            let of = |vpc: &Vpc| {
                vpc.ipv6
                    .clone()
                    .filter(|block| block.association.as_str() == association_id)
            };
            let (entry, block) = realm
                .vpcs
                .values()
                .find_map(|entry| Some((entry, of(&entry.value)?)))
                .ok_or_else(|| error::VPC_CIDR.not_found(&association_id))?;
            if realm
                .subnets_of(&entry.value.id)
                .any(|subnet| subnet.value.ipv6.is_some())
            {
                return Err(error::other(
                    "InvalidCidrBlock.InUse",
                    format!("The vpc CIDR block {} is in use by a subnet", block.cidr),
                ));
            }
            plan.none_newer_below(&keys.subnet_ranges(&entry.value.id));
            let vpc = Vpc {
                ipv6: None,
                ..entry.value.clone()
            };
            plan.replace(entry, &vpc)?;
            Ok((vpc, block))
        })
        .await?;
    let mut shown = show::vpc::ipv6(ctx, &block);
    if let Some(state) = &mut shown.ipv6_cidr_block_state {
        state.state = Some(VpcCidrBlockStateCode::Disassociated);
    }
    Ok(DisassociateVpcCidrBlockResult {
        cidr_block_association: None,
        ipv6_cidr_block_association: Some(shown),
        vpc_id: Some(vpc.id.into()),
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        DisassociateSubnetCidrBlockRequest, DisassociateVpcCidrBlockRequest, Ec2 as _, VpcCidrBlockStateCode,
    };

    use crate::testing::{Bench, fails};

    #[tokio::test]
    async fn disassociate_vpc_cidr_block_waits_for_the_subnets() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let vpc = bench.shown_vpc(&dual.vpc).await;
        let primary = vpc.cidr_block_association_set.expect("blocks")[0]
            .association_id
            .clone()
            .expect("an id");
        let block = vpc.ipv6_cidr_block_association_set.expect("blocks").remove(0);
        let id = block.association_id.expect("an id");
        let ask = async |id: &str| {
            let input = DisassociateVpcCidrBlockRequest {
                association_id: id.to_owned(),
            };
            bench.ec2.disassociate_vpc_cidr_block(&ctx, input).await
        };
        fails(
            ask(&primary).await,
            "OperationNotPermitted",
            "primary IPv4 CIDR block",
        );
        fails(ask(&id).await, "InvalidCidrBlock.InUse", "in use by a subnet");
        fails(
            ask("vpc-cidr-assoc-0123").await,
            "InvalidVpcCidrBlockAssociationID.NotFound",
            "vpc-cidr-assoc-0123",
        );
        fails(
            ask("vpc-0123").await,
            "InvalidVpcCidrBlockAssociationID.Malformed",
            "vpc-0123",
        );
        let input = DisassociateSubnetCidrBlockRequest {
            association_id: dual.subnet_association.clone(),
        };
        bench
            .ec2
            .disassociate_subnet_cidr_block(&ctx, input)
            .await
            .expect("gone");
        let gone = ask(&id).await.expect("gone");
        assert_eq!(gone.vpc_id.as_deref(), Some(dual.vpc.as_str()));
        let state = gone
            .ipv6_cidr_block_association
            .and_then(|block| block.ipv6_cidr_block_state?.state);
        assert_eq!(state, Some(VpcCidrBlockStateCode::Disassociated));
        fails(ask(&id).await, "InvalidVpcCidrBlockAssociationID.NotFound", &id);
        bench.restart().await;
        let vpc = bench.shown_vpc(&dual.vpc).await;
        assert_eq!(vpc.ipv6_cidr_block_association_set, Some(Vec::new()));
    }
}
