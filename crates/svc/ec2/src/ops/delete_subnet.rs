//! DeleteSubnet.

use roadstead_api_ec2::DeleteSubnetRequest;
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::service::Ec2;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DeleteSubnetRequest) -> Result<()> {
    let DeleteSubnetRequest { subnet_id, dry_run } = input;
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = realm.subnet(&subnet_id)?;
        let subnet = &entry.value;
        if !realm.addresses_in(&subnet.id).is_empty() {
            return Err(error::dependency(format!(
                "The subnet '{subnet_id}' has dependencies and cannot be deleted."
            )));
        }
        plan.unmodified(entry);
        plan.none_below(&keys.addresses(&subnet.id));
        plan.delete(&keys.subnet(&subnet.id));
        plan.delete(&keys.subnet_range(&subnet.vpc, &subnet.id));
        plan.delete_below(&keys.released_in(&subnet.id));
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{DeleteNetworkInterfaceRequest, DeleteSubnetRequest, Ec2 as _};

    use crate::testing::{Bench, fails, id};

    #[tokio::test]
    async fn delete_subnet_refuses_while_an_interface_is_in_it() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let interface = bench.interface(&ctx, &subnet).await;
        let delete = |dry_run| DeleteSubnetRequest {
            subnet_id: subnet.clone(),
            dry_run,
        };
        fails(
            bench.ec2.delete_subnet(&ctx, delete(None)).await,
            "DependencyViolation",
            &format!("The subnet '{subnet}' has dependencies and cannot be deleted."),
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
        fails(
            bench.ec2.delete_subnet(&ctx, delete(Some(true))).await,
            "DryRunOperation",
            "",
        );
        bench.ec2.delete_subnet(&ctx, delete(None)).await.expect("gone");
        bench.restart().await;
        fails(
            bench.ec2.delete_subnet(&ctx, delete(None)).await,
            "InvalidSubnetID.NotFound",
            &subnet,
        );
        let malformed = DeleteSubnetRequest {
            subnet_id: "net-1".to_owned(),
            ..Default::default()
        };
        fails(
            bench.ec2.delete_subnet(&ctx, malformed).await,
            "InvalidSubnetID.Malformed",
            "subnet-...",
        );
        bench.subnet(&vpc, "10.0.0.0/24").await;
    }
}
