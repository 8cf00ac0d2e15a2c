//! DisassociateSubnetCidrBlock: an IPv6 block of which no interface holds an address. Interfaces of the subnet
//! get none from then on.

use roadstead_api_ec2::{
    DisassociateSubnetCidrBlockRequest, DisassociateSubnetCidrBlockResult, SubnetCidrBlockStateCode,
};
use roadstead_base::Ctx;

use crate::default_vpc::range;
use crate::error::{self, Result};
use crate::records::Subnet;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DisassociateSubnetCidrBlockRequest,
) -> Result<DisassociateSubnetCidrBlockResult> {
    let DisassociateSubnetCidrBlockRequest { association_id } = input;
    error::SUBNET_CIDR.check(&association_id)?;
    let (subnet, block) = ec2
        .change(ctx, None, |realm, keys, plan| {
            let of = |subnet: &Subnet| {
                subnet
                    .ipv6
                    .clone()
                    .filter(|block| block.association.as_str() == association_id)
            };
            let (entry, block) = realm
                .subnets
                .values()
                .find_map(|entry| Some((entry, of(&entry.value)?)))
                .ok_or_else(|| error::SUBNET_CIDR.not_found(&association_id))?;
            if !realm.ipv6_in(&entry.value.id).is_empty() {
                return Err(error::other(
                    "InvalidCidrBlock.InUse",
                    format!(
                        "The subnet CIDR block {} is in use by a network interface",
                        block.cidr
                    ),
                ));
            }
            let subnet = Subnet {
                ipv6: None,
                assign_ipv6: false,
                ..entry.value.clone()
            };
            plan.none_newer_below(&keys.addresses(&subnet.id));
            plan.replace(entry, &subnet)?;
            plan.put(&keys.subnet_range(&subnet.vpc, &subnet.id), &range(&subnet))?;
            Ok((subnet, block))
        })
        .await?;
    let mut shown = show::subnet::ipv6(&block);
    if let Some(state) = &mut shown.ipv6_cidr_block_state {
        state.state = Some(SubnetCidrBlockStateCode::Disassociated);
    }
    Ok(DisassociateSubnetCidrBlockResult {
        ipv6_cidr_block_association: Some(shown),
        subnet_id: Some(subnet.id.into()),
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        DeleteNetworkInterfaceRequest, DisassociateSubnetCidrBlockRequest, Ec2 as _, SubnetCidrBlockStateCode,
    };

    use crate::testing::{Bench, fails, id};

    #[tokio::test]
    async fn disassociate_subnet_cidr_block_waits_for_the_interfaces() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        bench.assign_on_creation(&dual.subnet, true).await;
        let interface = bench.interface(&ctx, &dual.subnet).await;
        let ask = async |id: &str| {
            let input = DisassociateSubnetCidrBlockRequest {
                association_id: id.to_owned(),
            };
            bench.ec2.disassociate_subnet_cidr_block(&ctx, input).await
        };
        fails(
            ask(&dual.subnet_association).await,
            "InvalidCidrBlock.InUse",
            &dual.subnet_block,
        );
        fails(
            ask("subnet-cidr-assoc-0123").await,
            "InvalidSubnetCidrBlockAssociationID.NotFound",
            "subnet-cidr-assoc-0123",
        );
        fails(
            ask("subnet-0123").await,
            "InvalidSubnetCidrBlockAssociationID.Malformed",
            "subnet-0123",
        );
        let input = DeleteNetworkInterfaceRequest {
            network_interface_id: id(&interface),
            ..Default::default()
        };
        bench
            .ec2
            .delete_network_interface(&ctx, input)
            .await
            .expect("gone");
        let gone = ask(&dual.subnet_association).await.expect("gone");
        let state = gone
            .ipv6_cidr_block_association
            .and_then(|block| block.ipv6_cidr_block_state?.state);
        assert_eq!(state, Some(SubnetCidrBlockStateCode::Disassociated));
        bench.restart().await;
        let shown = bench.shown_subnet(&dual.subnet).await;
        assert_eq!(shown.ipv6_cidr_block_association_set, Some(Vec::new()));
        assert_eq!(shown.assign_ipv6_address_on_creation, Some(false));
        let plain = bench.interface(&ctx, &dual.subnet).await;
        assert_eq!(plain.ipv6_addresses, Some(Vec::new()), "nothing to give");
    }
}
