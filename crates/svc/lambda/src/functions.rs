//! Functions: made, shown, listed, deleted.

mod create;
mod delete;
mod get;
mod list;
mod package;
mod update;

pub(crate) use create::create_function;
pub(crate) use delete::delete_function;
pub(crate) use get::{get_function, get_function_configuration};
pub(crate) use list::list_functions;
pub(crate) use update::{update_function_code, update_function_configuration};

use roadstead_base::{Ctx, Partition};
use roadstead_dispatch::ActAs;
use roadstead_store::{Change, Key};

use crate::error::{Error, Result};
use crate::names::Named;
use crate::records::{self, FunctionRecord, LATEST, VersionRecord};
use crate::{Lambda, PRINCIPAL};

/// Seconds of the session that only shows that the role can be assumed.
const TRIAL_SECONDS: u32 = 900;

impl Lambda {
    pub(crate) fn function_key(&self, partition: &Partition, name: &str) -> Key {
        records::functions(&self.store).key(partition, name)
    }

    pub(crate) fn function(&self, partition: &Partition, named: &Named) -> Result<FunctionRecord> {
        let found = self.functions.get(&self.function_key(partition, &named.name));
        let found = found.ok_or_else(|| named.missing(partition))?;
        Ok(found.value.clone())
    }

    /// A function, and what is found of it. What its record names may go as soon as it names that no more: then the record
    /// is another by now, and says anew where to look.
    pub(crate) fn with_function<T>(
        &self,
        partition: &Partition,
        named: &Named,
        find: impl Fn(&FunctionRecord) -> Result<T>,
    ) -> Result<(FunctionRecord, T)> {
        let mut function = self.function(partition, named)?;
        loop {
            match find(&function) {
                Ok(found) => return Ok((function, found)),
                Err(missing) => {
                    let now = self.function(partition, named)?;
                    if now == function {
                        return Err(missing);
                    }
                    function = now;
                }
            }
        }
    }

    pub(crate) fn published(&self, partition: &Partition, name: &str, number: u64) -> Option<VersionRecord> {
        let key = records::version_key(&records::versions(&self.store), partition, name, number);
        self.versions.get(&key).map(|entry| entry.value.clone())
    }

    /// The published versions of a function, the first first.
    pub(crate) fn all_published(&self, partition: &Partition, name: &str) -> Vec<VersionRecord> {
        let below = records::versions(&self.store).key(partition, name);
        let snapshot = self.versions.snapshot();
        snapshot.below(&below).map(|entry| entry.value.clone()).collect()
    }

    /// The version that a qualifier means for whoever only looks: an alias means the version it points at.
    pub(crate) fn version(
        &self,
        partition: &Partition,
        function: &FunctionRecord,
        named: &Named,
    ) -> Result<VersionRecord> {
        let number = match named.qualifier.as_deref() {
            None | Some(LATEST) => return Ok(function.latest.clone()),
            Some(qualifier) => match function.aliases.get(qualifier) {
                Some(alias) if alias.version == LATEST => return Ok(function.latest.clone()),
                Some(alias) => alias.version.parse().ok(),
                None => qualifier.parse().ok(),
            },
        };
        let found = number.and_then(|number| self.published(partition, &function.name, number));
        found.ok_or_else(|| named.missing(partition))
    }

    /// Refuses a role that could not be assumed when the function runs.
    pub(crate) fn check_role(&self, ctx: &Ctx, role: &str, function_arn: &str) -> Result<()> {
        let act = ActAs {
            role_arn: role,
            service: PRINCIPAL,
            session_name: "trial",
            source_arn: Some(function_arn),
            seconds: TRIAL_SECONDS,
        };
        match self.dispatcher.assume_for_service(ctx, act) {
            Ok(_session) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, role, "a role was refused");
                Err(Error::invalid(Error::Role.to_string()))
            }
        }
    }

    /// By which runtime an identifier runs, where that is another.
    pub(crate) fn check_runtime(&self, identifier: &str) -> Result<Option<String>> {
        let runtime = self
            .sandboxes
            .runtime(identifier)
            .map_err(|reason| Error::Unsupported(format!("Runtime {identifier}: {reason}; it")))?;
        Ok(Some(runtime.runs).filter(|runs| runs != identifier))
    }

    pub(crate) async fn change_function(
        &self,
        ctx: &Ctx,
        named: &Named,
        mut change: impl FnMut(&mut FunctionRecord) -> Result<()>,
    ) -> Result<FunctionRecord> {
        let partition = ctx.partition();
        let update = |found: Option<&FunctionRecord>| {
            let mut record = found.ok_or_else(|| named.missing(&partition))?.clone();
            change(&mut record)?;
            Ok::<_, Error>(Change::Put(record))
        };
        let key = self.function_key(&partition, &named.name);
        let updated = records::functions(&self.store).update(&key, update).await?;
        self.functions.wait_for(updated.revision).await?;
        updated.value.ok_or_else(|| named.missing(&partition))
    }
}
