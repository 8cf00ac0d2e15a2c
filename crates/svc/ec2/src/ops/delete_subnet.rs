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
