//! DeleteVpc. The default group goes with it; anything else in it keeps it.

use roadstead_api_ec2::DeleteVpcRequest;
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::records::DefaultVpcMark;
use crate::service::Ec2;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DeleteVpcRequest) -> Result<()> {
    let DeleteVpcRequest { vpc_id, dry_run } = input;
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = realm.vpc(&vpc_id)?;
        let vpc = &entry.value;
        let others = realm.groups_of(&vpc.id).filter(|group| group.value.id != vpc.default_group).count();
        if realm.subnets_of(&vpc.id).next().is_some() || others > 0 {
            return Err(error::dependency(format!("The vpc '{vpc_id}' has dependencies and cannot be deleted.")));
        }
        plan.unmodified(entry);
        plan.none_below(&keys.subnet_ranges(&vpc.id));
        plan.none_below(&keys.group_names(&vpc.id));
        plan.delete(&keys.vpc(&vpc.id));
        plan.delete(&keys.group(&vpc.default_group));
        if let Some(mark) = realm.default_mark.as_ref().filter(|mark| mark.value.vpc.as_ref() == Some(&vpc.id)) {
            plan.replace(mark, &DefaultVpcMark { vpc: None })?;
        }
        Ok(())
    })
    .await
}
