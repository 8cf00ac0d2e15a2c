//! DeleteNetworkInterface. Its addresses rest before somebody else gets them.

use roadstead_api_ec2::DeleteNetworkInterfaceRequest;
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::records::Released;
use crate::service::Ec2;

/// So many addresses of a subnet rest at most; the one that has rested longest may be given again first.
const MAX_RESTING: usize = 1024;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DeleteNetworkInterfaceRequest) -> Result<()> {
    let DeleteNetworkInterfaceRequest {
        network_interface_id,
        dry_run,
    } = input;
    let now = ec2.clock.now();
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = realm.interface(&network_interface_id)?;
        let interface = &entry.value;
        if interface.attachment.is_some() {
            return Err(error::invalid_value(format!(
                "Network interface '{network_interface_id}' is currently in use."
            )));
        }
        Ec2::may_manage(&ctx.caller, interface)?;
        plan.unmodified(entry);
        plan.delete(&keys.interface(&interface.id));
        for group in &interface.groups {
            plan.delete(&keys.use_of_group(group, interface.id.as_str()));
        }
        for address in &interface.addresses {
            plan.delete(&keys.address(&interface.subnet, *address));
            plan.put(&keys.released(&interface.subnet, *address), &Released { at: now })?;
        }
        for address in &interface.ipv6 {
            plan.delete(&keys.address(&interface.subnet, *address));
        }
        let resting = realm.released_in(&interface.subnet);
        let surplus = (resting.len() + interface.addresses.len())
            .saturating_sub(MAX_RESTING)
            .min(plan.room());
        if surplus > 0 {
            let mut oldest: Vec<_> = resting.iter().map(|(address, since)| (since, address)).collect();
            oldest.sort();
            for (_, address) in oldest.into_iter().take(surplus) {
                plan.delete(&keys.released(&interface.subnet, *address));
            }
        }
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{DeleteNetworkInterfaceRequest, Ec2 as _};

    use super::MAX_RESTING;
    use crate::testing::{Bench, fails, id};

    #[tokio::test]
    async fn delete_network_interface_refuses_while_it_is_attached() {
        let mut bench = Bench::new().await;
        let (_, subnet) = bench.network().await;
        let interface = id(&bench.interface(&bench.ecs(), &subnet).await);
        bench.attach(&interface, "i-0a", 1).await;
        let delete = |id: &str| DeleteNetworkInterfaceRequest {
            network_interface_id: id.to_owned(),
            ..Default::default()
        };
        let words = format!("Network interface '{interface}' is currently in use.");
        for ctx in [bench.root(), bench.ecs()] {
            fails(
                bench.ec2.delete_network_interface(&ctx, delete(&interface)).await,
                "InvalidParameterValue",
                &words,
            );
        }
        let free = id(&bench.interface(&bench.root(), &subnet).await);
        let dry = DeleteNetworkInterfaceRequest {
            dry_run: Some(true),
            ..delete(&free)
        };
        fails(
            bench.ec2.delete_network_interface(&bench.root(), dry).await,
            "DryRunOperation",
            "",
        );
        bench
            .ec2
            .delete_network_interface(&bench.root(), delete(&free))
            .await
            .expect("gone");
        bench.restart().await;
        let again = bench
            .ec2
            .delete_network_interface(&bench.root(), delete(&free))
            .await;
        fails(
            again,
            "InvalidNetworkInterfaceID.NotFound",
            &format!("The networkInterface ID '{free}' does not exist"),
        );
        fails(
            bench
                .ec2
                .delete_network_interface(&bench.root(), delete("eth0"))
                .await,
            "InvalidNetworkInterfaceId.Malformed",
            "Invalid id: \"eth0\" (expecting \"eni-...\")",
        );
        assert_eq!(
            bench.shown_subnet(&subnet).await.available_ip_address_count,
            Some(250)
        );
    }

    #[tokio::test]
    async fn resting_addresses_do_not_pile_up() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let subnet = bench.default_vpc().await.subnets[0].subnet_id.clone();
        for _ in 0..(MAX_RESTING / 50 + 2) {
            let input = roadstead_api_ec2::CreateNetworkInterfaceRequest {
                subnet_id: subnet.to_string(),
                secondary_private_ip_address_count: Some(49),
                ..Default::default()
            };
            let made = bench
                .ec2
                .create_network_interface(&ctx, input)
                .await
                .expect("made");
            let input = DeleteNetworkInterfaceRequest {
                network_interface_id: id(&made.network_interface.expect("an interface")),
                ..Default::default()
            };
            bench.clock.advance(1);
            bench
                .ec2
                .delete_network_interface(&ctx, input)
                .await
                .expect("gone");
        }
        let resting = bench
            .ec2
            .read(&ctx, |realm| realm.released_in(&subnet).len())
            .await
            .expect("an answer");
        assert!(
            (MAX_RESTING - 50..=MAX_RESTING + 50).contains(&resting),
            "{resting}"
        );
    }
}
