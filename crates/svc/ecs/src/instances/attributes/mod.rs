//! Attributes that users put on container instances, for constraints and strategies to look at. They stand among the
//! ones that agents register; those with a reserved name stay the agents'.

pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod put;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use roadstead_api_ecs::{Attribute, TargetType, errors};
use roadstead_base::Ctx;
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::{ContainerInstanceRecord, InstanceRef, named_cluster, write};
use crate::names::{ClusterName, ContainerInstanceId};

/// Attributes of one call, and those that users may put on one instance. Source: the API reference, PutAttributes.
const MAX: usize = 10;
/// Characters of a name and of a value.
const MAX_TEXT: usize = 128;
const RESERVED: [&str; 2] = ["ecs.", "com.amazonaws."];
const TRIES: usize = 32;

/// One attribute of one instance, checked.
#[derive(Clone, Debug)]
struct Asked {
    target: InstanceRef,
    name: String,
    value: Option<String>,
}

impl Asked {
    /// As the service answers it: the target by its ARN.
    fn shown(&self) -> Attribute {
        Attribute {
            name: self.name.clone(),
            value: self.value.clone(),
            target_id: Some(self.target.arn()),
            target_type: None,
        }
    }
}

fn check(ctx: &Ctx, cluster: &ClusterName, attributes: Vec<Attribute>) -> Result<Vec<Asked>> {
    if attributes.is_empty() {
        return Err(Error::invalid("attributes can not be empty."));
    }
    if attributes.len() > MAX {
        return Err(Error::invalid(format!(
            "attributes can have at most {MAX} items."
        )));
    }
    let mut asked = Vec::new();
    for Attribute {
        name,
        value,
        target_id,
        target_type,
    } in attributes
    {
        let target = target_id.filter(|id| !id.is_empty());
        let target = target.ok_or_else(|| Error::invalid("attributes.targetId must be given."))?;
        match target_type {
            Some(TargetType::ContainerInstance) => {}
            None if target.starts_with("arn:") => {}
            None => {
                return Err(Error::invalid(
                    "attributes.targetType must be given where targetId is no ARN.",
                ));
            }
        }
        check_name(&name)?;
        if let Some(value) = &value {
            check_value(value)?;
        }
        asked.push(Asked {
            target: InstanceRef {
                partition: ctx.partition(),
                cluster: cluster.clone(),
                id: ContainerInstanceId::of(ctx, cluster, &target)?,
            },
            name,
            value,
        });
    }
    Ok(asked)
}

fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_/\\.".contains(c);
    if !(1..=MAX_TEXT).contains(&name.chars().count()) || !name.chars().all(fits) {
        return Err(Error::invalid(format!(
            "An attribute's name can have 1 to {MAX_TEXT} letters, numbers, hyphens, underscores, slashes, backslashes \
             and periods."
        )));
    }
    if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Error::invalid(format!(
            "The attribute {name} is one that agents register; names that begin with ecs. or com.amazonaws. are \
             reserved."
        )));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@/\\: ".contains(c);
    let length = (1..=MAX_TEXT).contains(&value.chars().count());
    if !length || !value.chars().all(fits) || value.trim() != value {
        return Err(Error::invalid(format!(
            "An attribute's value can have 1 to {MAX_TEXT} letters, numbers, hyphens, underscores, periods, at signs, \
             slashes, backslashes, colons and spaces, and neither begins nor ends with a space."
        )));
    }
    Ok(())
}

fn not_found(target: &InstanceRef) -> Error {
    Error::Other(errors::target_not_found_exception(format!(
        "The container instance {} is not in the cluster.",
        target.arn()
    )))
}

/// Changes the records that the attributes are of, all or none.
async fn change(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
    attributes: Vec<Attribute>,
    change: impl Fn(&mut ContainerInstanceRecord, &Asked) -> Result<bool>,
) -> Result<Vec<Attribute>> {
    let cluster = named_cluster(ecs, ctx, cluster).await?;
    let asked = check(ctx, &cluster, attributes)?;
    for _ in 0..TRIES {
        let mut entries: BTreeMap<String, (Entry<ContainerInstanceRecord>, ContainerInstanceRecord)> =
            BTreeMap::new();
        let mut done = Vec::new();
        for one in &asked {
            let arn = one.target.arn();
            if !entries.contains_key(&arn) {
                let entry = ecs.instances().get(&one.target.key()).await?;
                let entry = entry.filter(|entry| !entry.value.is_inactive());
                let entry = entry.ok_or_else(|| not_found(&one.target))?;
                let record = entry.value.clone();
                entries.insert(arn.clone(), (entry, record));
            }
            if let Some((_, record)) = entries.get_mut(&arn)
                && change(record, one)?
            {
                done.push(one.shown());
            }
        }
        let mut transaction = Transaction::new(&ecs.store);
        for (entry, record) in entries.values_mut() {
            if entry.value == *record {
                transaction = transaction.compare_unmodified(entry);
                continue;
            }
            record.version += 1;
            transaction = write::replace(ecs, transaction, entry, record).await?;
        }
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(done);
        }
    }
    Err(Error::Contended)
}
