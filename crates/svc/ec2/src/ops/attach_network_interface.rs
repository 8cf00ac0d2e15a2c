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
