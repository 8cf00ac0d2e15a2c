//! What an execution is started from: the machine as it is now, a version of it, or the version that an alias chooses.

use roadstead_base::{Ctx, Partition, random_bytes};
use roadstead_store::Entry;

use crate::States;
use crate::error::{Error, Result};
use crate::names::{self, Qualifier, alias_arn, version_arn};
use crate::records::{self, AliasRecord, ExecutionRecord, MachineRecord, Origin, VersionRecord};
use crate::routing;

impl States {
    pub(crate) async fn version(
        &self,
        partition: &Partition,
        machine: &str,
        number: u64,
    ) -> Result<Option<VersionRecord>> {
        let key = self.version_key(partition, machine, number);
        let found = records::versions(&self.store).get(&key).await?;
        Ok(found.map(|entry| entry.value))
    }

    pub(crate) async fn alias(
        &self,
        partition: &Partition,
        machine: &str,
        name: &str,
    ) -> Result<Option<AliasRecord>> {
        let key = self.alias_key(partition, machine, name);
        let found = records::aliases(&self.store).get(&key).await?;
        Ok(found.map(|entry| entry.value))
    }

    /// The machine that an ARN names, as it is now or as it was published.
    pub(crate) async fn configured(
        &self,
        ctx: &Ctx,
        arn: &str,
    ) -> Result<(Entry<MachineRecord>, Option<VersionRecord>)> {
        let (name, qualifier) = names::qualified(ctx, arn)?;
        let current = self.kept_machine(ctx, &name).await?;
        match qualifier {
            Qualifier::None => Ok((current, None)),
            Qualifier::Version(number) => {
                let found = self.version(&ctx.partition(), &name, number).await?;
                let version = found.ok_or_else(|| Error::NoSuchMachine(arn.to_owned()))?;
                let value = MachineRecord {
                    deleting: current.value.deleting,
                    ..version.machine.clone()
                };
                Ok((Entry { value, ..current }, Some(version)))
            }
            // Which of its versions would be shown? `DescribeStateMachineAlias` shows an alias.
            Qualifier::Alias(_) => Err(Error::NoSuchMachine(arn.to_owned())),
        }
    }

    /// The machine that an execution is to have, and how it came to that.
    pub(crate) async fn origin(
        &self,
        partition: &Partition,
        current: &MachineRecord,
        qualifier: &Qualifier,
    ) -> Result<(MachineRecord, Origin)> {
        let machine = &current.name;
        let (number, alias) = match qualifier {
            Qualifier::None => return Ok((current.clone(), origin(current, None, None))),
            Qualifier::Version(number) => (*number, None),
            Qualifier::Alias(name) => {
                let found = self.alias(partition, machine, name).await?;
                let missing = || Error::NoSuchMachine(alias_arn(partition, machine, name));
                let found = found.ok_or_else(missing)?;
                let draw = random_bytes::<8>().map_err(|error| Error::Store(error.to_string()))?;
                let chosen = routing::choose(&found.routes, u64::from_be_bytes(draw));
                (chosen.ok_or_else(missing)?, Some(name.clone()))
            }
        };
        let missing = || Error::NoSuchMachine(version_arn(partition, machine, number));
        let version = self
            .version(partition, machine, number)
            .await?
            .ok_or_else(missing)?;
        let origin = origin(&version.machine, Some(number), alias);
        Ok((version.machine, origin))
    }

    /// Refuses a version or an alias that is not there.
    pub(crate) async fn there(
        &self,
        partition: &Partition,
        machine: &str,
        qualifier: &Qualifier,
    ) -> Result<()> {
        let (found, arn) = match qualifier {
            Qualifier::None => return Ok(()),
            Qualifier::Version(number) => (
                self.version(partition, machine, *number).await?.is_some(),
                version_arn(partition, machine, *number),
            ),
            Qualifier::Alias(name) => (
                self.alias(partition, machine, name).await?.is_some(),
                alias_arn(partition, machine, name),
            ),
        };
        match found {
            true => Ok(()),
            false => Err(Error::NoSuchMachine(arn)),
        }
    }
}

impl ExecutionRecord {
    /// Whether it was started from that.
    pub(crate) fn is_of(&self, qualifier: &Qualifier) -> bool {
        match qualifier {
            Qualifier::None => true,
            Qualifier::Version(number) => self.origin.version == Some(*number),
            Qualifier::Alias(name) => self.origin.alias.as_ref() == Some(name),
        }
    }

    pub(crate) fn version_arn(&self, partition: &Partition) -> Option<String> {
        self.origin.version_arn(partition, &self.machine)
    }

    pub(crate) fn alias_arn(&self, partition: &Partition) -> Option<String> {
        self.origin.alias_arn(partition, &self.machine)
    }
}

impl Origin {
    pub(crate) fn version_arn(&self, partition: &Partition, machine: &str) -> Option<String> {
        Some(version_arn(partition, machine, self.version?))
    }

    pub(crate) fn alias_arn(&self, partition: &Partition, machine: &str) -> Option<String> {
        Some(alias_arn(partition, machine, self.alias.as_ref()?))
    }
}

fn origin(machine: &MachineRecord, version: Option<u64>, alias: Option<String>) -> Origin {
    Origin {
        version,
        alias,
        revision: machine.revision.clone(),
        updated: Some(machine.updated()),
    }
}
