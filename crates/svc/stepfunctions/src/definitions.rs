//! Definitions, as what names them has them: a machine, a version of it, or an execution. A definition is written with what
//! names it first and goes with what names it last or after that, so it is there as long as one that names it is. Both are
//! read one after the other all the same, and what is not there then says nothing before the first is looked at again.

use std::sync::Arc;

use roadstead_base::{Partition, derived_hex};
use roadstead_states_language::Machine;
use roadstead_store::{Entry, Key};

use crate::States;
use crate::error::{Error, Result};
use crate::records;

/// What a definition is named by.
pub(crate) fn digest(definition: &str) -> String {
    derived_hex(definition, "definition", 32)
}

impl States {
    pub(crate) fn definition_key(&self, partition: &Partition, machine: &str, digest: &str) -> Key {
        records::definitions(&self.store)
            .key(partition, machine)
            .child(digest)
    }

    /// The definition that `named_by`, as it was read from the store, names itself or by a version: whatever changes versions
    /// of a machine writes the machine too. Nothing if that was changed or has gone since, and is to be read again.
    ///
    /// # Errors
    /// The definition is not there, and should be.
    pub(crate) async fn definition<T>(
        &self,
        named_by: &Entry<T>,
        partition: &Partition,
        machine: &str,
        digest: &str,
    ) -> Result<Option<String>> {
        let key = self.definition_key(partition, machine, digest);
        if let Some(found) = records::definitions(&self.store).get(&key).await? {
            return Ok(Some(found.value.text));
        }
        let now = self.store.get(named_by.key.as_bytes()).await?;
        match now.is_some_and(|now| now.mod_revision == named_by.revision) {
            true => Err(Error::Store(format!("the definition of {machine} is not there"))),
            false => Ok(None),
        }
    }

    /// The machine that such a definition is.
    pub(crate) async fn parsed<T>(
        &self,
        named_by: &Entry<T>,
        partition: &Partition,
        machine: &str,
        digest: &str,
    ) -> Result<Option<Arc<Machine>>> {
        let key = self.definition_key(partition, machine, digest);
        if let Some(known) = self.work.known(&key) {
            return Ok(Some(known));
        }
        let Some(text) = self.definition(named_by, partition, machine, digest).await? else {
            return Ok(None);
        };
        match Machine::parse(&text).0 {
            Some(parsed) => Ok(Some(self.work.learn(key, parsed))),
            None => Err(Error::Store(format!(
                "the definition of {machine} is not valid any more"
            ))),
        }
    }
}
