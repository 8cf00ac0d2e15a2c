//! Event buses. The default one is always there; others come and go.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod list;
pub(crate) mod policy;
pub(crate) mod update;

use roadstead_api_events::{DeadLetterConfig, LogConfig};
use roadstead_base::{Ctx, Partition, Tags, Timestamp};

use crate::Events;
use crate::error::{Error, Result, refuse};
use crate::names::{DEFAULT_BUS, Named, bus_anywhere, resource};
use crate::records::BusRecord;
use crate::tables::{self, bus_key};

impl Events {
    /// A bus that is there.
    pub(crate) async fn bus(&self, ctx: &Ctx, name: &str) -> Result<BusRecord> {
        let key = bus_key(&ctx.partition(), name);
        match tables::buses(&self.store).get(&key).await? {
            Some(entry) => Ok(entry.value),
            None if name == DEFAULT_BUS => Ok(untouched_default()),
            None => Err(Error::NoSuchBus(name.to_owned())),
        }
    }

    /// Whether a bus is there. Publishers ask this of every event, so memory answers where it can.
    pub(crate) async fn has_bus(&self, partition: &Partition, name: &str) -> Result<bool> {
        let key = bus_key(partition, name);
        if name == DEFAULT_BUS || self.buses.get(&key).is_some() {
            return Ok(true);
        }
        Ok(tables::buses(&self.store).get(&key).await?.is_some())
    }

    /// The policy of the bus of an ARN, also of another account's. That of a bus goes for its rules, too.
    pub(crate) fn policy_of(&self, ctx: &Ctx, arn: &str) -> Option<String> {
        let (partition, bus) = match resource(ctx, arn) {
            Ok(Named::Rule { bus, rule: _ }) => (ctx.partition(), bus),
            _ => bus_anywhere(ctx, Some(arn)).ok()?,
        };
        self.buses.get(&bus_key(&partition, &bus))?.value.policy.clone()
    }
}

/// The default bus of an account that never said anything of it.
pub(crate) fn untouched_default() -> BusRecord {
    BusRecord {
        name: DEFAULT_BUS.to_owned(),
        description: None,
        tags: Tags::default(),
        policy: None,
        created_at: Timestamp(0),
        modified_at: Timestamp(0),
    }
}

/// What buses cannot have yet.
pub(crate) fn refuse_extras(
    dead_letter_config: Option<&DeadLetterConfig>,
    kms_key_identifier: Option<&String>,
    log_config: Option<&LogConfig>,
) -> Result<()> {
    refuse("DeadLetterConfig", dead_letter_config)?;
    refuse("KmsKeyIdentifier", kms_key_identifier)?;
    refuse("LogConfig", log_config)
}
