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

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AttributeBooleanValue, AttributeValue, ConnectionTrackingSpecificationRequest,
        DeleteSecurityGroupRequest, Ec2 as _, EnaSrdSpecification, ModifyNetworkInterfaceAttributeRequest,
        NetworkInterfaceAttachmentChanges,
    };

    use crate::testing::{Bench, fails, id, refused};

    fn of(interface: &str) -> ModifyNetworkInterfaceAttributeRequest {
        ModifyNetworkInterfaceAttributeRequest {
            network_interface_id: interface.to_owned(),
            ..Default::default()
        }
    }

    fn described(interface: &str, text: &str) -> ModifyNetworkInterfaceAttributeRequest {
        let description = Some(AttributeValue {
            value: Some(text.to_owned()),
        });
        ModifyNetworkInterfaceAttributeRequest {
            description,
            ..of(interface)
        }
    }

    #[tokio::test]
    async fn modify_network_interface_attribute_changes_one_at_a_time() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let (_, subnet) = bench.network().await;
        let mine = id(&bench.interface(&ctx, &subnet).await);
        let ask = async |input| bench.ec2.modify_network_interface_attribute(&ctx, input).await;
        let unchecked = |value| ModifyNetworkInterfaceAttributeRequest {
            source_dest_check: Some(AttributeBooleanValue { value }),
            ..of(&mine)
        };
        ask(described(&mine, "new")).await.expect("changed");
        ask(unchecked(Some(false))).await.expect("changed");
        fails(ask(unchecked(None)).await, "MissingParameter", "sourceDestCheck");
        let both = ModifyNetworkInterfaceAttributeRequest {
            description: described(&mine, "x").description,
            ..unchecked(Some(true))
        };
        fails(ask(both).await, "InvalidParameterCombination", "one attribute");
        fails(ask(of(&mine)).await, "MissingParameter", "attribute");
        fails(
            ask(described(&mine, &"x".repeat(256))).await,
            "InvalidParameterValue",
            "description",
        );
        fails(
            ask(described("eni-0123", "x")).await,
            "InvalidNetworkInterfaceID.NotFound",
            "eni-0123",
        );
        let dry = ModifyNetworkInterfaceAttributeRequest {
            dry_run: Some(true),
            ..described(&mine, "dry")
        };
        fails(ask(dry).await, "DryRunOperation", "");
        bench.restart().await;
        let shown = bench.shown_interface(&mine).await;
        assert_eq!(
            (shown.description.as_deref(), shown.source_dest_check),
            (Some("new"), Some(false))
        );
    }

    #[tokio::test]
    async fn modify_network_interface_attribute_changes_groups() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
        let mine = id(&bench.interface(&ctx, &subnet).await);
        let ask = async |groups: &[&str]| {
            let groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
            let input = ModifyNetworkInterfaceAttributeRequest { groups, ..of(&mine) };
            bench.ec2.modify_network_interface_attribute(&ctx, input).await
        };
        ask(&[&web]).await.expect("changed");
        ask(&[&db, &db]).await.expect("changed");
        let shown = bench.shown_interface(&mine).await.groups.expect("groups");
        assert_eq!(
            shown
                .iter()
                .filter_map(|group| group.group_id.as_ref())
                .collect::<Vec<_>>(),
            [&db]
        );
        let delete = |group: &str| DeleteSecurityGroupRequest {
            group_id: Some(group.to_owned()),
            ..Default::default()
        };
        bench
            .ec2
            .delete_security_group(&ctx, delete(&web))
            .await
            .expect("nobody wears it");
        fails(
            bench.ec2.delete_security_group(&ctx, delete(&db)).await,
            "DependencyViolation",
            &db,
        );
        fails(ask(&[]).await, "MissingParameter", "securityGroupId");
        fails(ask(&[&web]).await, "InvalidGroup.NotFound", &web);
        let six: Vec<String> = (0..6).map(|i| format!("sg-{i}")).collect();
        let six: Vec<&str> = six.iter().map(String::as_str).collect();
        fails(
            ask(&six).await,
            "SecurityGroupsPerInterfaceLimitExceeded",
            "maximum",
        );
        let elsewhere = bench.default_vpc().await.group_id;
        fails(
            ask(&[elsewhere.as_str()]).await,
            "InvalidParameter",
            "belong to different networks",
        );
    }

    #[tokio::test]
    async fn modify_network_interface_attribute_changes_the_attachment() {
        let bench = Bench::new().await;
        let (_, subnet) = bench.network().await;
        let managed = id(&bench.interface(&bench.ecs(), &subnet).await);
        let attachment = bench.attach(&managed, "i-0a", 1).await;
        let with = |attachment_id: &str, delete| ModifyNetworkInterfaceAttributeRequest {
            attachment: Some(NetworkInterfaceAttachmentChanges {
                attachment_id: Some(attachment_id.to_owned()),
                delete_on_termination: delete,
                ..Default::default()
            }),
            ..of(&managed)
        };
        let ask = async |ctx, input| bench.ec2.modify_network_interface_attribute(&ctx, input).await;
        fails(
            ask(bench.root(), with(&attachment, Some(true))).await,
            "AuthFailure",
            "permission",
        );
        fails(
            ask(bench.ecs(), with("eni-attach-0123", Some(true))).await,
            "InvalidAttachmentID.NotFound",
            "0123",
        );
        fails(
            ask(bench.ecs(), with(&attachment, None)).await,
            "MissingParameter",
            "deleteOnTermination",
        );
        ask(bench.ecs(), with(&attachment, Some(true)))
            .await
            .expect("changed");
        let shown = bench
            .shown_interface(&managed)
            .await
            .attachment
            .expect("an attachment");
        assert_eq!(shown.delete_on_termination, Some(true));
    }

    #[tokio::test]
    async fn modify_network_interface_attribute_refuses_by_name_what_it_cannot_do() {
        let bench = Bench::new().await;
        let base = || described("eni-0123", "x");
        let attachment = |changes| ModifyNetworkInterfaceAttributeRequest {
            attachment: Some(changes),
            ..base()
        };
        for (member, request) in [
            (
                "AssociatePublicIpAddress",
                ModifyNetworkInterfaceAttributeRequest {
                    associate_public_ip_address: Some(true),
                    ..base()
                },
            ),
            (
                "AssociatedSubnetIds",
                ModifyNetworkInterfaceAttributeRequest {
                    associated_subnet_ids: Some(vec!["x".to_owned()]),
                    ..base()
                },
            ),
            (
                "ConnectionTrackingSpecification",
                ModifyNetworkInterfaceAttributeRequest {
                    connection_tracking_specification: Some(ConnectionTrackingSpecificationRequest::default()),
                    ..base()
                },
            ),
            (
                "EnaSrdSpecification",
                ModifyNetworkInterfaceAttributeRequest {
                    ena_srd_specification: Some(EnaSrdSpecification::default()),
                    ..base()
                },
            ),
            (
                "EnablePrimaryIpv6",
                ModifyNetworkInterfaceAttributeRequest {
                    enable_primary_ipv6: Some(true),
                    ..base()
                },
            ),
            (
                "DefaultEnaQueueCount",
                attachment(NetworkInterfaceAttachmentChanges {
                    default_ena_queue_count: Some(true),
                    ..Default::default()
                }),
            ),
            (
                "EnaQueueCount",
                attachment(NetworkInterfaceAttachmentChanges {
                    ena_queue_count: Some(1),
                    ..Default::default()
                }),
            ),
        ] {
            refused(
                bench
                    .ec2
                    .modify_network_interface_attribute(&bench.root(), request)
                    .await,
                member,
            );
        }
    }
}
