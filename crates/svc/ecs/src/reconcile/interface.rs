//! A task's network interface: made, put on the task's machine, taken away. The network service is asked as any
//! client would ask it; the token of the creation derives from the attachment, so that a second try finds the
//! first one's interface.

use roadstead_api_ec2 as ec2;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;
use roadstead_store::Entry;

use crate::PRINCIPAL;
use crate::error::{Error, Result};
use crate::reconcile::Worker;
use crate::tasks::{
    AttachmentRecord, AttachmentStatus, InterfaceRecord, LastStatus, StopCode, TaskRecord, abandon, finish,
};

/// Milliseconds after which a network service that only fails is given up on.
const PATIENCE: i64 = 120_000;

fn inner(worker: &Worker, task: &TaskRecord) -> Ctx {
    let partition = &task.partition;
    worker
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone())
}

/// Makes the interface and puts it on the machine. What the network service refuses for good ends the task, with
/// its words as the reason.
pub(super) async fn provision(worker: &Worker, entry: &Entry<TaskRecord>) -> Result<()> {
    let mut task = entry.value.clone();
    let Some(attachment) = entry.value.attachment.clone() else {
        task.last = LastStatus::Pending;
        task.version += 1;
        return finish(worker, entry, &task).await.map(|_| ());
    };
    let made = make(worker, &task, &attachment).await;
    match made {
        Ok(interface) => {
            task.last = LastStatus::Pending;
            if let Some(attachment) = &mut task.attachment {
                attachment.status = AttachmentStatus::Attaching;
                attachment.interface = Some(interface);
            }
        }
        Err(error) => {
            let waited = worker.clock.now().0 - task.times.created.0;
            if error.status >= 500 && waited < PATIENCE {
                return Err(Error::Other(error));
            }
            let reason = format!(
                "Unexpected EC2 error while attempting to create a network interface in subnet '{}': {}: {}",
                attachment.subnet, error.code, error.message
            );
            abandon(&mut task, StopCode::TaskFailedToStart, reason);
            task.last = LastStatus::Deprovisioning;
        }
    }
    task.version += 1;
    finish(worker, entry, &task).await.map(|_| ())
}

async fn make(
    worker: &Worker,
    task: &TaskRecord,
    attachment: &AttachmentRecord,
) -> std::result::Result<InterfaceRecord, ApiError> {
    let ctx = inner(worker, task);
    let machine = task.host_ec2_id.clone().ok_or_else(|| {
        ApiError::client(
            "InvalidInstanceID.NotFound",
            "The container instance is no machine of the network service",
        )
    })?;
    let request = ec2::CreateNetworkInterfaceRequest {
        subnet_id: attachment.subnet.clone(),
        client_token: Some(token(attachment)),
        description: Some(attachment.arn(&task.partition)),
        groups: (!attachment.groups.is_empty()).then(|| attachment.groups.clone()),
        ..Default::default()
    };
    let made = worker
        .ec2
        .create_network_interface(&ctx, request)
        .await?
        .network_interface
        .unwrap_or_default();
    let id = made.network_interface_id.clone().unwrap_or_default();
    let attached = match attachment_on(&made, &machine) {
        Some(attached) => attached,
        None => attach(worker, &ctx, &id, &machine, attachment.device_index).await?,
    };
    Ok(InterfaceRecord {
        id,
        attachment: Some(attached),
        mac: made.mac_address.unwrap_or_default(),
        address: made.private_ip_address.unwrap_or_default(),
        dns_name: made.private_dns_name.filter(|name| !name.is_empty()),
    })
}

fn token(attachment: &AttachmentRecord) -> String {
    format!("ecs-{}", attachment.id)
}

/// The attachment of an interface to a machine, if it has one.
fn attachment_on(interface: &ec2::NetworkInterface, machine: &str) -> Option<String> {
    let attachment = interface.attachment.as_ref()?;
    let here = attachment.instance_id.as_deref() == Some(machine);
    attachment.attachment_id.clone().filter(|_| here)
}

async fn attach(
    worker: &Worker,
    ctx: &Ctx,
    id: &str,
    machine: &str,
    device_index: i32,
) -> std::result::Result<String, ApiError> {
    let request = ec2::AttachNetworkInterfaceRequest {
        device_index,
        instance_id: machine.to_owned(),
        network_interface_id: id.to_owned(),
        ..Default::default()
    };
    let refused = match worker.ec2.attach_network_interface(ctx, request).await {
        Ok(answer) => return Ok(answer.attachment_id.unwrap_or_default()),
        Err(error) if error.status >= 500 => return Err(error),
        Err(error) => error,
    };
    // An earlier try may have attached it and not lived to tell.
    let found = find(worker, ctx, id).await?;
    found
        .as_ref()
        .and_then(|found| attachment_on(found, machine))
        .ok_or(refused)
}

async fn find(
    worker: &Worker,
    ctx: &Ctx,
    id: &str,
) -> std::result::Result<Option<ec2::NetworkInterface>, ApiError> {
    let request = ec2::DescribeNetworkInterfacesRequest {
        network_interface_ids: Some(vec![id.to_owned()]),
        ..Default::default()
    };
    match worker.ec2.describe_network_interfaces(ctx, request).await {
        Ok(answer) => Ok(answer.network_interfaces.unwrap_or_default().into_iter().next()),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_gone(error: &ApiError) -> bool {
    error.code.ends_with(".NotFound")
}

/// Detaches and deletes the interface, if there is one: also one that was made by a try that did not live to
/// write it down.
pub(super) async fn take_away(worker: &Worker, task: &TaskRecord) -> Result<()> {
    let Some(attachment) = &task.attachment else {
        return Ok(());
    };
    let ctx = inner(worker, task);
    let id = match &attachment.interface {
        Some(interface) => Some(interface.id.clone()),
        None => forgotten(worker, &ctx, task, attachment).await?,
    };
    let Some(id) = id else { return Ok(()) };
    let Some(found) = find(worker, &ctx, &id).await? else {
        return Ok(());
    };
    if let Some(attached) = found.attachment.and_then(|attachment| attachment.attachment_id) {
        let request = ec2::DetachNetworkInterfaceRequest {
            attachment_id: attached,
            force: Some(true),
            dry_run: None,
        };
        match worker.ec2.detach_network_interface(&ctx, request).await {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(Error::Other(error)),
        }
    }
    let request = ec2::DeleteNetworkInterfaceRequest {
        network_interface_id: id,
        dry_run: None,
    };
    match worker.ec2.delete_network_interface(&ctx, request).await {
        Ok(()) => Ok(()),
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => Err(Error::Other(error)),
    }
}

/// An interface that carries this attachment's ARN.
async fn forgotten(
    worker: &Worker,
    ctx: &Ctx,
    task: &TaskRecord,
    attachment: &AttachmentRecord,
) -> Result<Option<String>> {
    let filter = ec2::Filter {
        name: Some("description".to_owned()),
        values: Some(vec![attachment.arn(&task.partition)]),
    };
    let request = ec2::DescribeNetworkInterfacesRequest {
        filters: Some(vec![filter]),
        ..Default::default()
    };
    let answer = worker.ec2.describe_network_interfaces(ctx, request).await?;
    let first = answer.network_interfaces.unwrap_or_default().into_iter().next();
    Ok(first.and_then(|interface| interface.network_interface_id))
}
