//! Finding a secret and changing it. A secret whose recovery window is over is no more: whoever comes across it
//! removes it, so that it is as gone as it seems.

use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_store::{Entry, Key, Outcome, Transaction};

use crate::SecretsManager;
use crate::error::{Error, Result};
use crate::names::SecretId;
use crate::records::{Secret, Value, ValueRecord, values_of};

/// How often a change is tried again when others change the same secret meanwhile.
const MAX_TRIES: u32 = 64;

/// What goes with a change of the record.
#[derive(Default)]
pub(crate) struct Values {
    pub(crate) add: Option<(String, Value)>,
    pub(crate) remove: Vec<String>,
}

impl SecretsManager {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The secret that a caller points at, deleted ones within their recovery window included.
    pub(crate) async fn find(&self, ctx: &Ctx, id: &str) -> Result<Entry<Secret>> {
        let partition = ctx.partition();
        for (name, suffix) in SecretId::parse(&partition, id)?.candidates {
            if let Some(entry) = self.named(&partition, &name).await?
                && suffix.is_none_or(|suffix| suffix == entry.value.suffix)
            {
                return Ok(entry);
            }
        }
        Err(Error::NotFound)
    }

    /// The same, refused when it is marked for deletion.
    pub(crate) async fn live(&self, ctx: &Ctx, id: &str) -> Result<Entry<Secret>> {
        let entry = self.find(ctx, id).await?;
        if entry.value.deletion.is_some() {
            return Err(Error::request(
                "You can't perform this operation on the secret because it was marked for deletion.",
            ));
        }
        Ok(entry)
    }

    pub(crate) async fn named(&self, partition: &Partition, name: &str) -> Result<Option<Entry<Secret>>> {
        let table = self.secrets();
        match table.get(&table.key(partition, name)).await? {
            Some(entry) if self.is_over(&entry.value) => {
                // If not now, whoever comes across it next.
                self.remove(partition, &entry).await?;
                Ok(None)
            }
            found => Ok(found),
        }
    }

    /// Every secret of an account in a region, by name.
    pub(crate) async fn all(&self, partition: &Partition) -> Result<Vec<Secret>> {
        let table = self.secrets();
        let (entries, _) = table.all(&table.within(partition)).await?;
        let mut secrets = Vec::new();
        for entry in entries {
            if self.is_over(&entry.value) {
                // If not now, whoever comes across it next.
                self.remove(partition, &entry).await?;
            } else {
                secrets.push(entry.value);
            }
        }
        Ok(secrets)
    }

    fn is_over(&self, secret: &Secret) -> bool {
        secret
            .deletion
            .is_some_and(|deletion| deletion.until <= self.now())
    }

    /// Removes a secret with its values. False when somebody changed it meanwhile, and it stays.
    pub(crate) async fn remove(&self, partition: &Partition, entry: &Entry<Secret>) -> Result<bool> {
        let transaction = Transaction::new(&self.store)
            .compare_unmodified(entry)
            .delete(&entry.key)
            .delete_below(&values_of(partition, &entry.value));
        Ok(matches!(transaction.commit().await?, Outcome::Committed(_)))
    }

    /// Finds a secret that is not deleted, lets `decide` change it, and writes that with its values.
    pub(crate) async fn change<T>(
        &self,
        ctx: &Ctx,
        id: &str,
        mut decide: impl FnMut(&mut Secret, Timestamp) -> Result<(Values, T)>,
    ) -> Result<(Secret, T)> {
        for _ in 0..MAX_TRIES {
            let entry = self.live(ctx, id).await?;
            let mut secret = entry.value.clone();
            let (values, answer) = decide(&mut secret, self.now())?;
            if self.write(ctx, &entry, &secret, values).await? {
                return Ok((secret, answer));
            }
        }
        Err(Error::Contended)
    }

    /// False when somebody else wrote in between.
    pub(crate) async fn write(
        &self,
        ctx: &Ctx,
        entry: &Entry<Secret>,
        secret: &Secret,
        values: Values,
    ) -> Result<bool> {
        let partition = ctx.partition();
        let mut transaction = Transaction::new(&self.store).replace(&self.secrets(), entry, secret);
        if let Some((version, value)) = values.add {
            let (key, record) = self.sealed(&partition, secret, &version, &value)?;
            transaction = transaction.put(&self.values(), &key, &record);
        }
        for version in values.remove {
            transaction = transaction.delete(&values_of(&partition, secret).child(version));
        }
        Ok(matches!(transaction.commit().await?, Outcome::Committed(_)))
    }

    /// A value as it is kept, and where.
    pub(crate) fn sealed(
        &self,
        partition: &Partition,
        secret: &Secret,
        version: &str,
        value: &Value,
    ) -> Result<(Key, ValueRecord)> {
        let record = ValueRecord {
            binary: value.binary,
            sealed: self
                .seal
                .seal(&belongs(partition, secret, version), &value.bytes)?,
        };
        Ok((values_of(partition, secret).child(version), record))
    }

    /// The value of a version that the secret has.
    pub(crate) async fn value(&self, partition: &Partition, secret: &Secret, version: &str) -> Result<Value> {
        let entry = self
            .values()
            .get(&values_of(partition, secret).child(version))
            .await?;
        let record = entry.ok_or(Error::NotFound)?.value;
        let bytes = self
            .seal
            .open(&belongs(partition, secret, version), &record.sealed)?;
        Ok(Value {
            binary: record.binary,
            bytes,
        })
    }
}

fn belongs(partition: &Partition, secret: &Secret, version: &str) -> String {
    format!("{} {version}", secret.arn(partition))
}
