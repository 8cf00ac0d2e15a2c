//! Finding a parameter, reading its values, and changing it.

use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ssm;
use crate::error::{Error, Result};
use crate::names::{self, Reference, Selector};
use crate::records::{Kind, Parameter, ValueRecord, Version, values_of};

/// How often a change is tried again when others change the same parameter meanwhile.
const MAX_TRIES: u32 = 64;

impl Ssm {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn named(&self, partition: &Partition, name: &str) -> Result<Option<Entry<Parameter>>> {
        let table = self.parameters();
        Ok(table.get(&table.key(partition, name)).await?)
    }

    pub(crate) async fn existing(&self, ctx: &Ctx, given: &str) -> Result<Entry<Parameter>> {
        let name = names::existing(given)?;
        let found = self.named(&ctx.partition(), &name).await?;
        found.ok_or(Error::NotFound(name))
    }

    /// The parameter and the version of it that a caller points at.
    pub(crate) async fn referred(&self, ctx: &Ctx, given: &str) -> Result<(Parameter, i64, Reference)> {
        let reference = Reference::parse(&ctx.partition(), given)?;
        for name in &reference.candidates {
            let Some(entry) = self.named(&ctx.partition(), name).await? else {
                continue;
            };
            let parameter = entry.value;
            let (found, what) = match &reference.selector {
                Selector::Latest => (parameter.latest(), "a version".to_owned()),
                Selector::Version(number) => {
                    let version = parameter.versions.get(number);
                    (
                        version.map(|version| (*number, version)),
                        format!("version {number}"),
                    )
                }
                Selector::Label(label) => (parameter.labelled(label), format!("label {label}")),
            };
            let Some((number, _)) = found else {
                return Err(Error::NoSuchVersion {
                    name: parameter.name,
                    what,
                });
            };
            return Ok((parameter, number, reference));
        }
        Err(Error::NotFound(given.trim_matches(' ').to_owned()))
    }

    /// Every parameter of an account in a region, by name.
    pub(crate) async fn all(&self, partition: &Partition) -> Result<Vec<Parameter>> {
        let table = self.parameters();
        let (entries, _) = table.all(&table.within(partition)).await?;
        let mut all: Vec<Parameter> = entries.into_iter().map(|entry| entry.value).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// A value as it is kept.
    pub(crate) fn kept(
        &self,
        partition: &Partition,
        name: &str,
        kind: Kind,
        number: i64,
        value: &str,
    ) -> Result<ValueRecord> {
        Ok(match kind {
            Kind::String | Kind::StringList => ValueRecord::Plain(value.to_owned()),
            Kind::SecureString => ValueRecord::Sealed(
                self.seal
                    .seal(&belongs(partition, name, number), value.as_bytes())?,
            ),
        })
    }

    /// A version's value; of a sealed one without decryption, what it is sealed as. `None` if the version went
    /// meanwhile.
    pub(crate) async fn value(
        &self,
        partition: &Partition,
        name: &str,
        number: i64,
        open: bool,
    ) -> Result<Option<String>> {
        let key = values_of(partition, name).child(number.to_string());
        let Some(entry) = self.values().get(&key).await? else {
            return Ok(None);
        };
        Ok(Some(match entry.value {
            ValueRecord::Plain(value) => value,
            ValueRecord::Sealed(sealed) if open => {
                let bytes = self.seal.open(&belongs(partition, name, number), &sealed)?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            ValueRecord::Sealed(sealed) => sealed.data().to_owned(),
        }))
    }

    /// Finds a parameter, lets `decide` change its record, and writes that.
    pub(crate) async fn change<T>(
        &self,
        ctx: &Ctx,
        given: &str,
        decide: impl Fn(&mut Parameter) -> Result<T>,
    ) -> Result<T> {
        for _ in 0..MAX_TRIES {
            let entry = self.existing(ctx, given).await?;
            let mut parameter = entry.value.clone();
            let answer = decide(&mut parameter)?;
            if parameter == entry.value {
                return Ok(answer);
            }
            let write = Transaction::new(&self.store).replace(&self.parameters(), &entry, &parameter);
            if matches!(write.commit().await?, Outcome::Committed(_)) {
                return Ok(answer);
            }
        }
        Err(Error::Contended)
    }

    /// Removes a parameter with its values; false if there was none.
    pub(crate) async fn remove(&self, partition: &Partition, name: &str) -> Result<bool> {
        for _ in 0..MAX_TRIES {
            let Some(entry) = self.named(partition, name).await? else {
                return Ok(false);
            };
            let write = Transaction::new(&self.store)
                .compare_unmodified(&entry)
                .delete(&entry.key)
                .delete_below(&values_of(partition, name));
            if matches!(write.commit().await?, Outcome::Committed(_)) {
                return Ok(true);
            }
        }
        Err(Error::Contended)
    }

    /// As GetParameter and its like show it.
    pub(crate) async fn shown(
        &self,
        ctx: &Ctx,
        parameter: &Parameter,
        number: i64,
        selector: Option<String>,
        open: bool,
    ) -> Result<Option<roadstead_api_ssm::Parameter>> {
        let (partition, name) = (ctx.partition(), &parameter.name);
        let Some(value) = self.value(&partition, name, number, open).await? else {
            return Ok(None);
        };
        let modified = parameter
            .versions
            .get(&number)
            .map(|Version { modified, .. }| *modified);
        Ok(Some(roadstead_api_ssm::Parameter {
            arn: Some(names::arn(&partition, name)),
            data_type: Some(crate::records::TEXT.to_owned()),
            last_modified_date: modified,
            name: Some(name.clone()),
            selector,
            source_result: None,
            r#type: Some(parameter.kind.shown()),
            value: Some(value),
            version: Some(number),
        }))
    }
}

fn belongs(partition: &Partition, name: &str, number: i64) -> String {
    format!("{} {number}", names::arn(partition, name))
}
