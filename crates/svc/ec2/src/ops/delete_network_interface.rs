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
