//! A task's network interface: made, put on the task's machine, taken away. The network service is asked as any
//! client would ask it; the token of the creation derives from the attachment, so that a second try finds the
//! first one's interface.

use roadstead_api_ec2 as ec2;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;
use roadstead_store::Entry;

use crate::PRINCIPAL;
use crate::acs::Stage;
use crate::error::{Error, Result};
use crate::reconcile::{Worker, deliver};
use crate::tasks::{
    AttachmentRecord, AttachmentStatus, InterfaceRecord, LastStatus, StopCode, TaskRecord, abandon, finish,
};

/// Milliseconds after which a network service that only fails is given up on.
const PATIENCE: i64 = 120_000;
const TRIES: usize = 64;

fn inner(worker: &Worker, task: &TaskRecord) -> Ctx {
    let partition = &task.partition;
    worker
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone())
}

/// Makes the interface and puts it on the machine. What the network service refuses for good ends the task, with
/// its words as the reason. The agent is told while the record is being written, not after: a commit is a good
/// part of the time a task takes to start, and all that a lost commit leaves is told again.
pub(super) async fn provision(worker: &Worker, entry: &Entry<TaskRecord>) -> Result<()> {
    let mut task = entry.value.clone();
    let Some(attachment) = entry.value.attachment.clone() else {
        task.last = LastStatus::Pending;
        task.version += 1;
        return finish(worker, entry, &task).await.map(|_| ());
    };
    match make(worker, &task, &attachment).await {
        Ok(interface) => {
            let ready = with_interface(&task, &interface);
            let (told, written) = tokio::join!(
                deliver::tell(worker, &ready, Stage::Start),
                write_down(worker, entry, &interface)
            );
            if let Err(error) = told {
                // The next step tries it again, and decides what to make of it.
                tracing::debug!(%error, task = %entry.key, "an agent could not be told at once");
            }
            return written;
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

/// Writes the interface into the record, whatever the agent has reported by then.
async fn write_down(worker: &Worker, entry: &Entry<TaskRecord>, interface: &InterfaceRecord) -> Result<()> {
    let mut now = entry.clone();
    for _ in 0..TRIES {
        if now.value.last == LastStatus::Stopped {
            return Ok(());
        }
        let task = with_interface(&now.value, interface);
        if finish(worker, &now, &task).await? {
            return Ok(());
        }
        match worker.tasks().get(&entry.key).await? {
            Some(changed) => now = changed,
            None => return Ok(()),
        }
    }
    Err(Error::Contended)
}

fn with_interface(task: &TaskRecord, interface: &InterfaceRecord) -> TaskRecord {
    let mut task = task.clone();
    task.last = task.last.max(LastStatus::Pending);
    let least = if task.last >= LastStatus::Running {
        AttachmentStatus::Attached
    } else {
        AttachmentStatus::Attaching
    };
    if let Some(attachment) = &mut task.attachment {
        attachment.status = attachment.status.max(least);
        attachment.interface = Some(interface.clone());
    }
    task.version += 1;
    task
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
        // Not what the subnet gives unasked: the account's setting decides.
        ipv6_address_count: Some(attachment.ipv6_cidr.is_some().into()),
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
        ipv6_address: made
            .ipv6_addresses
            .and_then(|addresses| addresses.into_iter().next()?.ipv6_address),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_written_beside_what_the_agent_has_reported() {
        for (last, attachment, wanted) in [
            (
                LastStatus::Provisioning,
                AttachmentStatus::Precreated,
                (LastStatus::Pending, AttachmentStatus::Attaching),
            ),
            (
                LastStatus::Running,
                AttachmentStatus::Precreated,
                (LastStatus::Running, AttachmentStatus::Attached),
            ),
            (
                LastStatus::Deprovisioning,
                AttachmentStatus::Detaching,
                (LastStatus::Deprovisioning, AttachmentStatus::Detaching),
            ),
        ] {
            let mut task = crate::compile::tests::task(true);
            let interface = task
                .attachment
                .as_mut()
                .and_then(|it| it.interface.take())
                .expect("an interface");
            task.last = last;
            task.attachment.as_mut().expect("an attachment").status = attachment;
            let after = with_interface(&task, &interface);
            let attachment = after.attachment.expect("an attachment");
            assert_eq!((after.last, attachment.status), wanted);
            assert_eq!(
                (attachment.interface, after.version),
                (Some(interface), task.version + 1)
            );
        }
    }
}
