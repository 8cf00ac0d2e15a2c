//! `DescribeStateMachineForExecution`: the machine as an execution has it, whatever became of the machine since.

use roadstead_api_stepfunctions::{
    DescribeStateMachineForExecutionInput, DescribeStateMachineForExecutionOutput, EncryptionConfiguration,
    EncryptionType, IncludedData, TracingConfiguration,
};
use std::collections::{BTreeMap, BTreeSet};

use roadstead_base::{Ctx, Partition};
use roadstead_store::Entry;

use crate::States;
use crate::error::{Error, Result};
use crate::executions::TRIES;
use crate::names::machine_arn;
use crate::records::ExecutionRecord;

/// A definition, and which of its states reads which variables.
pub(crate) struct Described {
    pub definition: String,
    pub variable_references: Option<BTreeMap<String, Vec<String>>>,
}

impl States {
    /// The definition that `named_by` names, with nothing in it if that is not wanted. Nothing if `named_by` is to be read again.
    pub(crate) async fn described<T>(
        &self,
        named_by: &Entry<T>,
        partition: &Partition,
        machine: &str,
        digest: &str,
        included: Option<&IncludedData>,
    ) -> Result<Option<Described>> {
        if included == Some(&IncludedData::MetadataOnly) {
            return Ok(Some(Described {
                definition: "{}".to_owned(),
                variable_references: None,
            }));
        }
        let Some(definition) = self.definition(named_by, partition, machine, digest).await? else {
            return Ok(None);
        };
        // One that was taken before the language was read more strictly is shown all the same.
        let Ok(Some(parsed)) = self.parsed(named_by, partition, machine, digest).await else {
            return Ok(Some(Described {
                definition,
                variable_references: None,
            }));
        };
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let references: BTreeMap<String, Vec<String>> = parsed
            .variable_references()
            .into_iter()
            .map(|(state, names)| (state.to_owned(), owned(names)))
            .collect();
        Ok(Some(Described {
            definition,
            variable_references: Some(references).filter(|references| !references.is_empty()),
        }))
    }
}

pub(crate) async fn describe_state_machine_for_execution(
    states: &States,
    ctx: &Ctx,
    input: DescribeStateMachineForExecutionInput,
) -> Result<DescribeStateMachineForExecutionOutput> {
    let DescribeStateMachineForExecutionInput {
        execution_arn,
        included_data,
    } = input;
    let partition = ctx.partition();
    for _ in 0..TRIES {
        let found = states.execution(ctx, &execution_arn).await?;
        let ExecutionRecord {
            machine, definition, ..
        } = &found.value;
        let described = states
            .described(&found, &partition, machine, definition, included_data.as_ref())
            .await?;
        if let Some(described) = described {
            return Ok(described_as(&partition, found.value, described));
        }
    }
    Err(Error::Contended)
}

fn described_as(
    partition: &Partition,
    record: ExecutionRecord,
    described: Described,
) -> DescribeStateMachineForExecutionOutput {
    let Described {
        definition,
        variable_references,
    } = described;
    DescribeStateMachineForExecutionOutput {
        definition,
        name: record.machine.clone(),
        role_arn: record.role_arn,
        state_machine_arn: machine_arn(partition, &record.machine),
        update_date: record.origin.updated.unwrap_or(record.started),
        encryption_configuration: Some(EncryptionConfiguration {
            r#type: EncryptionType::AwsOwnedKey,
            ..EncryptionConfiguration::default()
        }),
        logging_configuration: Some(record.logging.shown()),
        revision_id: record.origin.revision,
        tracing_configuration: Some(TracingConfiguration { enabled: Some(false) }),
        variable_references,
        ..DescribeStateMachineForExecutionOutput::default()
    }
}
