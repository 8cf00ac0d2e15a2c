//! Versions of state machines: published once for each revision, never changed, and kept until they are deleted.

use roadstead_api_stepfunctions::{
    DeleteStateMachineVersionInput, DeleteStateMachineVersionOutput, ListStateMachineVersionsInput,
    ListStateMachineVersionsOutput, PublishStateMachineVersionInput, PublishStateMachineVersionOutput,
    StateMachineVersionListItem,
};
use roadstead_base::{Ctx, Partition, Tags, Timestamp};
use roadstead_store::{Entry, Key, Outcome, Transaction};

use crate::error::{Error, Result};
use crate::names::{self, Qualifier, machine_arn, version_arn};
use crate::records::{self, MachineRecord, VersionRecord, Versions};
use crate::{States, page};

/// How often a change is tried again that met another one.
pub(crate) const TRIES: usize = 64;
/// The revision of a machine that was not updated yet.
const INITIAL: &str = "INITIAL";

impl States {
    pub(crate) fn version_key(&self, partition: &Partition, machine: &str, number: u64) -> Key {
        records::versions(&self.store)
            .key(partition, machine)
            .child(format!("{number:020}"))
    }

    /// A machine as the store has it: what is read of it afterwards can be held to that.
    pub(crate) async fn kept_machine(&self, ctx: &Ctx, name: &str) -> Result<Entry<MachineRecord>> {
        let partition = ctx.partition();
        let found = records::machines(&self.store)
            .get(&self.machine_key(&partition, name))
            .await?;
        found.ok_or_else(|| Error::NoSuchMachine(machine_arn(&partition, name)))
    }

    /// A machine to be changed or executed.
    pub(crate) async fn machine_entry(&self, ctx: &Ctx, name: &str) -> Result<Entry<MachineRecord>> {
        let found = self.kept_machine(ctx, name).await?;
        match found.value.deleting {
            true => Err(Error::Deleting(machine_arn(&ctx.partition(), name))),
            false => Ok(found),
        }
    }

    /// Begins to change a machine and what belongs to it.
    pub(crate) async fn changing(&self, ctx: &Ctx, name: &str) -> Result<Changing> {
        let entry = self.machine_entry(ctx, name).await?;
        Ok(Changing {
            machine: entry.value.clone(),
            entry,
            transaction: Transaction::new(&self.store),
        })
    }

    /// Writes all of a change, or nothing if the machine was changed meanwhile. Whatever changes versions and aliases
    /// writes the machine too, so that one read of it guards all of them.
    pub(crate) async fn changed(&self, change: Changing) -> Result<bool> {
        let Changing {
            entry,
            machine,
            transaction,
        } = change;
        let machines = records::machines(&self.store);
        let written = transaction.replace(&machines, &entry, &machine).commit().await?;
        match written {
            Outcome::Committed(revision) => {
                self.machines.wait_for(revision).await?;
                Ok(true)
            }
            Outcome::Conflict => Ok(false),
        }
    }

    /// Publishes the machine as it is: the version that its revision has already, or a new one.
    pub(crate) async fn publish(
        &self,
        partition: &Partition,
        mut change: Changing,
        description: Option<String>,
    ) -> Result<(Changing, VersionRecord)> {
        let machine = &mut change.machine;
        if let Some(number) = machine.versions.current
            && let Some(version) = self.version(partition, &machine.name, number).await?
        {
            return Ok((change, version));
        }
        if machine.versions.count >= self.options.max_versions {
            return Err(Error::QuotaExceeded("versions", self.options.max_versions));
        }
        let version = published(machine, description, self.clock.now());
        let key = self.version_key(partition, &machine.name, version.number);
        let versions = records::versions(&self.store);
        let change = change.with(|transaction| transaction.insert(&versions, &key, &version));
        Ok((change, version))
    }
}

/// A change of a machine and what belongs to it.
pub(crate) struct Changing {
    entry: Entry<MachineRecord>,
    /// The machine as it is to be.
    pub machine: MachineRecord,
    transaction: Transaction,
}

impl Changing {
    /// Writes something beside it.
    pub(crate) fn with(self, write: impl FnOnce(Transaction) -> Transaction) -> Self {
        Self {
            transaction: write(self.transaction),
            ..self
        }
    }
}

/// The next version of a machine.
pub(crate) fn published(
    machine: &mut MachineRecord,
    description: Option<String>,
    now: Timestamp,
) -> VersionRecord {
    let number = machine.versions.last + 1;
    machine.versions.last = number;
    machine.versions.count += 1;
    machine.versions.current = Some(number);
    VersionRecord {
        number,
        description,
        created: now,
        machine: MachineRecord {
            tags: Tags::default(),
            versions: Versions::default(),
            ..machine.clone()
        },
    }
}

pub(crate) async fn publish_state_machine_version(
    states: &States,
    ctx: &Ctx,
    input: PublishStateMachineVersionInput,
) -> Result<PublishStateMachineVersionOutput> {
    let PublishStateMachineVersionInput {
        state_machine_arn,
        description,
        revision_id,
    } = input;
    let name = names::machine(ctx, &state_machine_arn)?;
    let partition = ctx.partition();
    for _ in 0..TRIES {
        let change = states.changing(ctx, &name).await?;
        let current = change.machine.revision.as_deref().unwrap_or(INITIAL);
        if let Some(wanted) = revision_id.as_deref().filter(|wanted| *wanted != current) {
            return Err(Error::Conflict(format!(
                "Failed to publish the State Machine version for revision {wanted}. The current State Machine revision is {current}."
            )));
        }
        let (change, version) = states.publish(&partition, change, description.clone()).await?;
        if states.changed(change).await? {
            return Ok(PublishStateMachineVersionOutput {
                creation_date: version.created,
                state_machine_version_arn: version_arn(&partition, &name, version.number),
            });
        }
    }
    Err(Error::Contended)
}

/// One that is not there counts as deleted. Executions that it began go on.
pub(crate) async fn delete_state_machine_version(
    states: &States,
    ctx: &Ctx,
    input: DeleteStateMachineVersionInput,
) -> Result<DeleteStateMachineVersionOutput> {
    let DeleteStateMachineVersionInput {
        state_machine_version_arn,
    } = input;
    let (name, number) = version(ctx, &state_machine_version_arn)?;
    let partition = ctx.partition();
    let below = records::aliases(&states.store).key(&partition, &name);
    for _ in 0..TRIES {
        let mut change = match states.changing(ctx, &name).await {
            // Its versions go with it.
            Err(Error::NoSuchMachine(_) | Error::Deleting(_)) => {
                return Ok(DeleteStateMachineVersionOutput {});
            }
            change => change?,
        };
        if states.version(&partition, &name, number).await?.is_none() {
            return Ok(DeleteStateMachineVersionOutput {});
        }
        let (aliases, _) = records::aliases(&states.store).all(&below).await?;
        let naming: Vec<String> = aliases
            .into_iter()
            .filter(|alias| alias.value.routes.iter().any(|route| route.version == number))
            .map(|alias| alias.value.name)
            .collect();
        if !naming.is_empty() {
            return Err(Error::Conflict(format!(
                "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [{}]",
                naming.join(", ")
            )));
        }
        let Versions { count, current, .. } = &mut change.machine.versions;
        *count = count.saturating_sub(1);
        *current = current.filter(|current| *current != number);
        let key = states.version_key(&partition, &name, number);
        if states
            .changed(change.with(|transaction| transaction.delete(&key)))
            .await?
        {
            return Ok(DeleteStateMachineVersionOutput {});
        }
    }
    Err(Error::Contended)
}

/// The machine and the number of an ARN that names a version.
pub(crate) fn version(ctx: &Ctx, arn: &str) -> Result<(String, u64)> {
    match names::qualified(ctx, arn)? {
        (machine, Qualifier::Version(number)) => Ok((machine, number)),
        _ => Err(Error::Validation(format!(
            "The ARN '{arn}' must name a version of a state machine"
        ))),
    }
}

/// The latest first.
pub(crate) async fn list_state_machine_versions(
    states: &States,
    ctx: &Ctx,
    input: ListStateMachineVersionsInput,
) -> Result<ListStateMachineVersionsOutput> {
    let ListStateMachineVersionsInput {
        state_machine_arn,
        max_results,
        next_token,
    } = input;
    let name = names::machine(ctx, &state_machine_arn)?;
    states.machine(ctx, &name)?;
    let partition = ctx.partition();
    let below = records::versions(&states.store).key(&partition, &name);
    let (mut all, _) = records::versions(&states.store).all(&below).await?;
    all.reverse();
    let items = all.into_iter().map(|entry| {
        let version = entry.value;
        (format!("{:020}", u64::MAX - version.number), version)
    });
    let scope = format!("ListStateMachineVersions/{name}");
    let (page, next_token) = page::cut(ctx, &scope, items, max_results, next_token.as_deref())?;
    let show = |version: VersionRecord| StateMachineVersionListItem {
        creation_date: version.created,
        state_machine_version_arn: version_arn(&partition, &name, version.number),
    };
    Ok(ListStateMachineVersionsOutput {
        state_machine_versions: page.into_iter().map(show).collect(),
        next_token,
    })
}
