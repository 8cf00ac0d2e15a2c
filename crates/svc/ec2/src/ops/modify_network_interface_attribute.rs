//! ModifyNetworkInterfaceAttribute: one attribute at a time.

use roadstead_api_ec2::{
    AttributeBooleanValue, AttributeValue, ModifyNetworkInterfaceAttributeRequest,
    NetworkInterfaceAttachmentChanges,
};
use roadstead_base::Ctx;

use super::create_network_interface::{MAX_GROUPS, groups_in, too_many_groups, unique};
use crate::default_vpc::plan_uses;
use crate::error::{self, Result};
use crate::ids::GroupId;
use crate::records::Interface;
use crate::refuse;
use crate::service::Ec2;
use crate::world::Realm;

const MAX_TEXT: usize = 255;

/// What is to change.
enum Change {
    Description(String),
    SourceDestCheck(bool),
    Groups(Vec<String>),
    DeleteOnTermination { attachment: String, delete: bool },
}

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: ModifyNetworkInterfaceAttributeRequest) -> Result<()> {
    let ModifyNetworkInterfaceAttributeRequest {
        network_interface_id,
        associate_public_ip_address,
        associated_subnet_ids,
        attachment,
        connection_tracking_specification,
        description,
        dry_run,
        ena_srd_specification,
        enable_primary_ipv6,
        groups,
        source_dest_check,
    } = input;
    refuse::flag("AssociatePublicIpAddress", associate_public_ip_address)?;
    refuse::list("AssociatedSubnetIds", associated_subnet_ids)?;
    refuse::given(
        "ConnectionTrackingSpecification",
        connection_tracking_specification,
    )?;
    refuse::given("EnaSrdSpecification", ena_srd_specification)?;
    refuse::flag("EnablePrimaryIpv6", enable_primary_ipv6)?;
    let changes = [
        attachment.map(of_attachment).transpose()?,
        description
            .map(|AttributeValue { value }| described(value))
            .transpose()?,
        groups.map(of_groups).transpose()?,
        source_dest_check
            .map(|AttributeBooleanValue { value }| checked(value))
            .transpose()?,
    ];
    let mut changes = changes.into_iter().flatten();
    let change = changes.next().ok_or_else(|| {
        error::missing_because("The request must contain an attribute of the network interface to modify")
    })?;
    if changes.next().is_some() {
        return Err(error::combination(
            "Only one attribute of a network interface can be modified at a time",
        ));
    }
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = realm.interface(&network_interface_id)?;
        Ec2::may_manage(&ctx.caller, &entry.value)?;
        let changed = change.apply(realm, &entry.value)?;
        let differs = |a: &[GroupId], b: &[GroupId]| -> Vec<GroupId> {
            a.iter().filter(|group| !b.contains(group)).cloned().collect()
        };
        plan_uses(
            keys,
            plan,
            changed.id.as_str(),
            &differs(&changed.groups, &entry.value.groups),
        )?;
        for group in differs(&entry.value.groups, &changed.groups) {
            plan.delete(&keys.use_of_group(&group, changed.id.as_str()));
        }
        plan.replace(entry, &changed)
    })
    .await
}

fn described(value: Option<String>) -> Result<Change> {
    let text = value.unwrap_or_default();
    if text.chars().count() > MAX_TEXT {
        return Err(error::invalid_value(format!(
            "description exceeds the maximum length of {MAX_TEXT} characters"
        )));
    }
    Ok(Change::Description(text))
}

fn checked(value: Option<bool>) -> Result<Change> {
    value
        .map(Change::SourceDestCheck)
        .ok_or_else(|| error::missing("sourceDestCheck.Value"))
}

fn of_groups(groups: Vec<String>) -> Result<Change> {
    let groups = unique(groups);
    match groups.len() {
        0 => Err(error::missing("securityGroupId")),
        count if count > MAX_GROUPS => Err(too_many_groups()),
        _ => Ok(Change::Groups(groups)),
    }
}

fn of_attachment(changes: NetworkInterfaceAttachmentChanges) -> Result<Change> {
    let NetworkInterfaceAttachmentChanges {
        attachment_id,
        default_ena_queue_count,
        delete_on_termination,
        ena_queue_count,
    } = changes;
    refuse::given("DefaultEnaQueueCount", default_ena_queue_count)?;
    refuse::given("EnaQueueCount", ena_queue_count)?;
    let attachment = attachment_id.ok_or_else(|| error::missing("attachment.attachmentId"))?;
    let delete = delete_on_termination.ok_or_else(|| error::missing("attachment.deleteOnTermination"))?;
    Ok(Change::DeleteOnTermination { attachment, delete })
}

impl Change {
    fn apply(&self, realm: &Realm, before: &Interface) -> Result<Interface> {
        let mut after = before.clone();
        match self {
            Self::Description(text) => after.description.clone_from(text),
            Self::SourceDestCheck(check) => after.source_dest_check = *check,
            Self::Groups(ids) => {
                let subnet = realm.subnet(before.subnet.as_str())?;
                after.groups = groups_in(realm, &subnet.value, ids)?;
            }
            Self::DeleteOnTermination { attachment, delete } => {
                error::ATTACHMENT.check(attachment)?;
                match after
                    .attachment
                    .as_mut()
                    .filter(|present| present.id.as_str() == attachment)
                {
                    Some(present) => present.delete_on_termination = *delete,
                    None => return Err(error::ATTACHMENT.not_found(attachment)),
                }
            }
        }
        Ok(after)
    }
}
