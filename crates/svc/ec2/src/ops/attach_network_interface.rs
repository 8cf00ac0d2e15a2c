//! AttachNetworkInterface. Instances are the machines that parts of the platform attach interfaces to; nobody
//! can run others here yet, so a user's instance is one that has an interface already.

use roadstead_api_ec2::{AttachNetworkInterfaceRequest, AttachNetworkInterfaceResult};
use roadstead_base::{Caller, Ctx};

use crate::error::{self, Result};
use crate::ids::{AttachmentId, InstanceId};
use crate::records::{Attachment, Interface};
use crate::refuse;
use crate::service::Ec2;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: AttachNetworkInterfaceRequest,
) -> Result<AttachNetworkInterfaceResult> {
    let AttachNetworkInterfaceRequest {
        device_index,
        instance_id,
        network_interface_id,
        dry_run,
        ena_queue_count,
        ena_srd_specification,
        network_card_index,
    } = input;
    refuse::given("EnaQueueCount", ena_queue_count)?;
    refuse::given("EnaSrdSpecification", ena_srd_specification)?;
    refuse::count("NetworkCardIndex", network_card_index)?;
    error::INSTANCE.check(&instance_id)?;
    if device_index < 0 {
        return Err(error::invalid_value(format!(
            "Value ({device_index}) for parameter deviceIndex is invalid."
        )));
    }
    let instance = InstanceId::named(instance_id);
    let of_platform = matches!(ctx.caller, Caller::Service(_));
    let now = ec2.clock.now();
    let new_id = AttachmentId::random();
    let id = ec2
        .change(ctx, dry_run, |realm, _, plan| {
            let entry = realm.interface(&network_interface_id)?;
            if let Some(present) = &entry.value.attachment {
                // A part of the platform that was interrupted asks again.
                if of_platform && present.instance == instance && present.device_index == device_index {
                    return Ok(present.id.clone());
                }
                return Err(error::other(
                    "InvalidNetworkInterface.InUse",
                    format!("Interface: [{network_interface_id}] in use."),
                ));
            }
            Ec2::may_manage(&ctx.caller, &entry.value)?;
            if !of_platform {
                if realm.attached_to(&instance).next().is_none() {
                    return Err(error::INSTANCE.not_found(instance.as_str()));
                }
                let at_index = |other: &Interface| other.attachment.as_ref().is_some_and(|a| a.device_index == device_index);
                if realm.attached_to(&instance).any(|other| at_index(&other.value)) {
                    return Err(error::invalid_value(format!(
                        "Instance '{instance}' already has an interface attached at device index '{device_index}'."
                    )));
                }
            }
            let attachment = Attachment {
                id: new_id.clone(),
                instance: instance.clone(),
                device_index,
                attached_at: now,
                delete_on_termination: false,
            };
            plan.replace(entry, &Interface { attachment: Some(attachment), ..entry.value.clone() })?;
            Ok(new_id.clone())
        })
        .await?;
    Ok(AttachNetworkInterfaceResult {
        attachment_id: Some(id.into()),
        network_card_index: Some(0),
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AttachNetworkInterfaceRequest, AttachmentStatus, Ec2 as _, EnaSrdSpecification,
        NetworkInterfaceStatus,
    };

    use crate::testing::{Bench, NOW, fails, id, refused};

    fn of(interface: &str, instance: &str, device_index: i32) -> AttachNetworkInterfaceRequest {
        AttachNetworkInterfaceRequest {
            device_index,
            instance_id: instance.to_owned(),
            network_interface_id: interface.to_owned(),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn attach_network_interface_shows_in_the_interface() {
        let mut bench = Bench::new().await;
        let (_, subnet) = bench.network().await;
        let interface = id(&bench.interface(&bench.ecs(), &subnet).await);
        let attachment = bench.attach(&interface, "i-0a", 1).await;
        assert!(attachment.starts_with("eni-attach-"));
        bench.restart().await;
        let shown = bench.shown_interface(&interface).await;
        assert_eq!(shown.status, Some(NetworkInterfaceStatus::InUse));
        let shown = shown.attachment.expect("an attachment");
        assert_eq!(shown.attachment_id.as_ref(), Some(&attachment));
        assert_eq!(
            (shown.instance_id.as_deref(), shown.device_index),
            (Some("i-0a"), Some(1))
        );
        assert_eq!(
            (shown.status, shown.attach_time),
            (Some(AttachmentStatus::Attached), Some(NOW))
        );
        assert_eq!(shown.delete_on_termination, Some(false));
        assert_eq!(
            bench.attach(&interface, "i-0a", 1).await,
            attachment,
            "asked again, it is the same"
        );
        let elsewhere = bench
            .ec2
            .attach_network_interface(&bench.ecs(), of(&interface, "i-0b", 1))
            .await;
        fails(
            elsewhere,
            "InvalidNetworkInterface.InUse",
            &format!("Interface: [{interface}] in use."),
        );
    }

    #[tokio::test]
    async fn users_attach_to_instances_that_are_there() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (_, subnet) = bench.network().await;
        let managed = id(&bench.interface(&bench.ecs(), &subnet).await);
        let mine = id(&bench.interface(&ctx, &subnet).await);
        let ask = async |input| bench.ec2.attach_network_interface(&ctx, input).await;
        fails(
            ask(of(&mine, "i-0a", 2)).await,
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-0a' does not exist",
        );
        fails(
            ask(of(&mine, "host", 2)).await,
            "InvalidInstanceID.Malformed",
            "expecting \"i-...\"",
        );
        bench.attach(&managed, "i-0a", 1).await;
        fails(
            ask(of(&mine, "i-0a", 1)).await,
            "InvalidParameterValue",
            "device index '1'",
        );
        fails(
            ask(of(&mine, "i-0a", -1)).await,
            "InvalidParameterValue",
            "deviceIndex",
        );
        fails(
            ask(of("eni-0123", "i-0a", 2)).await,
            "InvalidNetworkInterfaceID.NotFound",
            "eni-0123",
        );
        let unattached = id(&bench.interface(&bench.ecs(), &subnet).await);
        fails(ask(of(&unattached, "i-0a", 2)).await, "AuthFailure", "permission");
        fails(
            ask(AttachNetworkInterfaceRequest {
                dry_run: Some(true),
                ..of(&mine, "i-0a", 2)
            })
            .await,
            "DryRunOperation",
            "",
        );
        let done = ask(of(&mine, "i-0a", 2)).await.expect("attached");
        assert_eq!(done.network_card_index, Some(0));
        fails(
            ask(of(&mine, "i-0a", 2)).await,
            "InvalidNetworkInterface.InUse",
            &mine,
        );
    }

    #[tokio::test]
    async fn attach_network_interface_refuses_by_name_what_it_cannot_do() {
        let bench = Bench::new().await;
        let base = || of("eni-0123", "i-0a", 1);
        for (member, request) in [
            (
                "EnaQueueCount",
                AttachNetworkInterfaceRequest {
                    ena_queue_count: Some(2),
                    ..base()
                },
            ),
            (
                "EnaSrdSpecification",
                AttachNetworkInterfaceRequest {
                    ena_srd_specification: Some(EnaSrdSpecification::default()),
                    ..base()
                },
            ),
            (
                "NetworkCardIndex",
                AttachNetworkInterfaceRequest {
                    network_card_index: Some(1),
                    ..base()
                },
            ),
        ] {
            refused(
                bench.ec2.attach_network_interface(&bench.root(), request).await,
                member,
            );
        }
    }
}
