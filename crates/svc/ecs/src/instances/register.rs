//! RegisterContainerInstance. An agent calls it at every start: for the first time without an ARN, later with
//! the one it was given. The answer carries every attribute it sent, or the vendor's agent gives up.

use std::collections::BTreeMap;

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_api_ecs::{Attribute, RegisterContainerInstanceRequest, RegisterContainerInstanceResponse};
use roadstead_base::{Caller, Ctx};
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::clusters::{ClusterRecord, active_cluster};
use crate::error::{Error, Result, refuse};
use crate::instances::identity::{self, Identity};
use crate::instances::record::{Registered, Versions};
use crate::instances::show::show;
use crate::instances::{
    ATTRIBUTE_ZONE, ContainerInstanceRecord, InstanceRef, InstanceStatus, resources, write,
};
use crate::names::{ClusterName, ContainerInstanceId};
use crate::tables::instances_of;
use crate::tags::Tags;

const TRIES: usize = 32;
/// Attributes of one instance; an agent sends about sixty.
const MAX_ATTRIBUTES: usize = 256;
/// Characters of an attribute's name and value.
const MAX_TEXT: usize = 128;
/// What the tasks of an instance are told whose agent came back knowing nothing.
const STARTED_ANEW: &str =
    "The container agent registered anew without its earlier state; its tasks are lost.";

/// A checked registration.
struct Asked {
    identity: Option<Identity>,
    attributes: BTreeMap<String, Option<String>>,
    registered: Registered,
    versions: Versions,
    tags: Tags,
}

pub(crate) async fn register_container_instance(
    ecs: &Ecs,
    ctx: &Ctx,
    input: RegisterContainerInstanceRequest,
) -> Result<RegisterContainerInstanceResponse> {
    let RegisterContainerInstanceRequest {
        attributes,
        client_token,
        cluster,
        container_instance_arn,
        instance_identity_document,
        instance_identity_document_signature,
        platform_devices,
        tags,
        total_resources,
        version_info,
    } = input;
    refuse("platformDevices", platform_devices)?;
    let identity = identity::read(
        instance_identity_document.as_deref(),
        instance_identity_document_signature.as_deref(),
    )?;
    let version_info = version_info.unwrap_or_default();
    let asked = Asked {
        attributes: read_attributes(attributes.unwrap_or_default(), identity.as_ref())?,
        identity,
        registered: resources::read(total_resources.unwrap_or_default())?,
        versions: Versions {
            agent_hash: version_info.agent_hash,
            agent: version_info.agent_version,
            docker: version_info.docker_version,
        },
        tags: Tags::of(tags)?,
    };
    let known = container_instance_arn.filter(|arn| !arn.is_empty());
    for _ in 0..TRIES {
        let written = match &known {
            Some(arn) => again(ecs, ctx, cluster.as_deref(), arn, &asked).await?,
            None => first(ecs, ctx, cluster.as_deref(), client_token.as_deref(), &asked).await?,
        };
        if let Some(record) = written {
            let mut instance = show(ecs, &record).await?;
            instance.tags = Some(record.tags.to_api());
            return Ok(RegisterContainerInstanceResponse {
                container_instance: Some(instance),
            });
        }
    }
    Err(Error::Contended)
}

/// The cluster to register in, and its record, which must not change meanwhile; the reserved one has none.
async fn target(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
) -> Result<(ClusterName, Option<Entry<ClusterRecord>>)> {
    let name = ClusterName::of(ctx, cluster)?;
    if name.as_str() == FARGATE_CLUSTER {
        return if ctx.caller == Caller::Node {
            Ok((name, None))
        } else {
            Err(Error::ClusterNotFound)
        };
    }
    let entry = active_cluster(ecs, ctx, cluster).await?;
    Ok((name, Some(entry)))
}

/// A registration without an ARN. The same token again, as when the answer was lost, means the same instance.
async fn first(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
    token: Option<&str>,
    asked: &Asked,
) -> Result<Option<ContainerInstanceRecord>> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return anew(ecs, ctx, cluster, ContainerInstanceId::random(), asked).await;
    };
    let (name, _) = target(ecs, ctx, cluster).await?;
    let id = ContainerInstanceId::derived(&format!("{}/{name}/{token}", ctx.account), "registration");
    let reference = InstanceRef {
        partition: ctx.partition(),
        cluster: name,
        id,
    };
    let known = ecs.instances().get(&reference.key()).await?;
    match known.filter(|entry| !entry.value.is_inactive()) {
        Some(entry) => {
            let arn = entry.value.name.id.arn(&reference.partition, &reference.cluster);
            again(ecs, ctx, cluster, &arn.to_string(), asked).await
        }
        None => anew(ecs, ctx, cluster, reference.id, asked).await,
    }
}

/// A first registration. An instance of the same machine in the same cluster gives way: its agent has lost what
/// it knew, or it would have named itself.
async fn anew(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
    id: ContainerInstanceId,
    asked: &Asked,
) -> Result<Option<ContainerInstanceRecord>> {
    let (name, cluster) = target(ecs, ctx, cluster).await?;
    let name = InstanceRef {
        partition: ctx.partition(),
        cluster: name,
        id,
    };
    let record = ContainerInstanceRecord {
        ec2_instance_id: asked
            .identity
            .as_ref()
            .map(|identity| identity.instance_id.clone()),
        status: InstanceStatus::Active,
        attributes: asked.attributes.clone(),
        custom: Default::default(),
        registered: asked.registered.clone(),
        versions: asked.versions.clone(),
        registered_at: ecs.clock.now(),
        version: 1,
        tags: asked.tags.clone(),
        name,
    };
    let mut transaction = write::insert(ecs, Transaction::new(&ecs.store), &record).await?;
    if let Some(cluster) = &cluster {
        transaction = transaction.compare_unmodified(cluster);
    }
    if let Some(machine) = &record.ec2_instance_id {
        let (others, _) = ecs
            .instances()
            .all(&instances_of(&record.name.partition, &record.name.cluster))
            .await?;
        let same = |entry: &&Entry<ContainerInstanceRecord>| {
            entry.value.ec2_instance_id.as_ref() == Some(machine) && !entry.value.is_inactive()
        };
        for old in others.iter().filter(same) {
            let status = InstanceStatus::Inactive {
                since: ecs.clock.now(),
                reason: STARTED_ANEW.to_owned(),
            };
            let gone = ContainerInstanceRecord {
                status,
                version: old.value.version + 1,
                ..old.value.clone()
            };
            transaction = write::replace(ecs, transaction, old, &gone).await?;
        }
    }
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(record))
}

/// An agent that comes back as who it was. Attributes that it does not send again stay.
async fn again(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
    arn: &str,
    asked: &Asked,
) -> Result<Option<ContainerInstanceRecord>> {
    let (cluster, _) = target(ecs, ctx, cluster).await?;
    let id = ContainerInstanceId::of(ctx, &cluster, arn)?;
    let name = InstanceRef {
        partition: ctx.partition(),
        cluster,
        id,
    };
    let Some(entry) = ecs.instances().get(&name.key()).await? else {
        return Err(Error::client(
            "The referenced container instance does not exist; register without its ARN.",
        ));
    };
    if entry.value.is_inactive() {
        return Err(Error::client(
            "The referenced container instance is inactive; register without its ARN.",
        ));
    }
    if asked.identity.as_ref().map(|identity| &identity.instance_id) != entry.value.ec2_instance_id.as_ref() {
        return Err(Error::client(
            "The referenced container instance is registered for another machine.",
        ));
    }
    let mut record = entry.value.clone();
    record.attributes.extend(asked.attributes.clone());
    record.registered = asked.registered.clone();
    record.versions = asked.versions.clone();
    record.tags.merge(asked.tags.clone())?;
    record.version += 1;
    let transaction = write::replace(ecs, Transaction::new(&ecs.store), &entry, &record).await?;
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(record))
}

fn read_attributes(
    attributes: Vec<Attribute>,
    identity: Option<&Identity>,
) -> Result<BTreeMap<String, Option<String>>> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(Error::invalid(format!(
            "attributes can have at most {MAX_ATTRIBUTES} items."
        )));
    }
    let mut read = BTreeMap::new();
    if let Some(identity) = identity {
        let known = [
            (ATTRIBUTE_ZONE, &identity.availability_zone),
            ("ecs.instance-type", &identity.instance_type),
        ];
        for (name, value) in known {
            if value.is_some() {
                read.insert(name.to_owned(), value.clone());
            }
        }
    }
    for Attribute {
        name,
        value,
        target_id,
        target_type,
    } in attributes
    {
        refuse("attributes.targetId", target_id)?;
        if target_type.is_some() {
            return Err(Error::unsupported("attributes.targetType"));
        }
        let fits = |text: &str| text.chars().count() <= MAX_TEXT;
        if name.is_empty() || !fits(&name) || !value.as_deref().is_none_or(fits) {
            let name: String = name.chars().take(64).collect();
            return Err(Error::invalid(format!(
                "Invalid attribute {name:?}: names have 1 to {MAX_TEXT} characters, values at most {MAX_TEXT}."
            )));
        }
        read.insert(name, value);
    }
    Ok(read)
}
