//! DeleteSecurityGroup. What interfaces wear or other groups' rules name stays.

use std::collections::BTreeSet;

use roadstead_api_ec2::{DeleteSecurityGroupRequest, DeleteSecurityGroupResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::ids::GroupId;
use crate::records::{Group, Peer};
use crate::service::Ec2;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResult> {
    let DeleteSecurityGroupRequest {
        dry_run,
        group_id,
        group_name,
    } = input;
    let deleted = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let entry = realm.group_by(group_id.as_deref(), group_name.as_deref())?;
            let group = &entry.value;
            if realm
                .vpcs
                .get(&group.vpc)
                .is_some_and(|vpc| vpc.value.default_group == group.id)
            {
                return Err(error::other(
                    "CannotDelete",
                    format!(
                        "the specified group: \"{}\" name: \"{}\" cannot be deleted by a user",
                        group.id, group.name
                    ),
                ));
            }
            if realm.uses_of(&group.id).next().is_some() {
                return Err(error::dependency(format!(
                    "resource {} has a dependent object",
                    group.id
                )));
            }
            plan.unmodified(entry);
            plan.none_below(&keys.uses_of_group(&group.id));
            plan.delete(&keys.group(&group.id));
            plan.delete(&keys.group_name(&group.vpc, &group.name));
            for named in named_by(group) {
                plan.delete(&keys.use_of_group(named, group.id.as_str()));
            }
            Ok(group.id.clone())
        })
        .await?;
    Ok(DeleteSecurityGroupResult {
        group_id: Some(deleted.into()),
        r#return: Some(true),
    })
}

/// Other groups that a group's rules name.
pub(super) fn named_by(group: &Group) -> BTreeSet<&GroupId> {
    group
        .rules
        .iter()
        .filter_map(|rule| match &rule.permit.peer {
            Peer::Group(named) if *named != group.id => Some(named),
            _ => None,
        })
        .collect()
}
