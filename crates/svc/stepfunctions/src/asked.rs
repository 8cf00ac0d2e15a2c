//! What an execution is started with, whether or not its start is answered with its end: `StartExecution` and
//! `StartSyncExecution` take and refuse the same.

use roadstead_base::{Ctx, Partition, random_uuid};
use roadstead_states_language::{About, DATA_LIMIT};
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::names::{self, Qualifier, machine_arn};
use crate::records::MachineRecord;

/// An execution that is asked for.
pub(crate) struct Asked {
    /// The name of the state machine.
    pub machine: String,
    pub qualifier: Qualifier,
    /// The execution's, made up if none was given.
    pub name: String,
    /// Its input, as it was given.
    pub text: String,
    given: Json,
}

impl Asked {
    pub(crate) fn read(
        ctx: &Ctx,
        state_machine_arn: &str,
        name: Option<String>,
        input: Option<String>,
        trace_header: Option<String>,
    ) -> Result<Self> {
        if trace_header.is_some() {
            return Err(Error::Unsupported("traceHeader".into()));
        }
        let (machine, qualifier) = names::qualified(ctx, state_machine_arn)?;
        let name = name.unwrap_or_else(random_uuid);
        if !names::is_name(&name) {
            return Err(Error::InvalidName(name));
        }
        let text = input.unwrap_or_else(|| "{}".to_owned());
        if text.len() > DATA_LIMIT {
            // The model counts characters; the limit is in bytes of UTF-8.
            return Err(Error::Validation(format!(
                "Value at 'input' failed to satisfy constraint: it has {} bytes, and at most {DATA_LIMIT} are taken",
                text.len()
            )));
        }
        let given = serde_json::from_str(&text).map_err(|fault| Error::InvalidInput(fault.to_string()))?;
        Ok(Self {
            machine,
            qualifier,
            name,
            text,
            given,
        })
    }

    /// What the execution can read of itself.
    pub(crate) fn about(&self, partition: &Partition, chosen: &MachineRecord, execution_arn: &str) -> About {
        About {
            execution_arn: execution_arn.to_owned(),
            execution_name: self.name.clone(),
            role_arn: chosen.role_arn.clone(),
            state_machine_arn: machine_arn(partition, &self.machine),
            state_machine_name: self.machine.clone(),
            input: self.given.clone(),
        }
    }
}
