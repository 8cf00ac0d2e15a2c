//! `DescribeStateMachineForExecution`: the machine as an execution has it, whatever became of the machine since.

use roadstead_api_stepfunctions::{
    DescribeStateMachineForExecutionInput, DescribeStateMachineForExecutionOutput, EncryptionConfiguration,
    EncryptionType, IncludedData, TracingConfiguration,
};
use std::collections::{BTreeMap, BTreeSet};

use roadstead_base::{Ctx, Partition};

use crate::States;
use crate::error::Result;
use crate::names::machine_arn;

impl States {
    /// The definition and which of its states reads which variables, or nothing of either if that is not wanted.
    pub(crate) async fn described(
        &self,
        partition: &Partition,
        machine: &str,
        digest: &str,
        included: Option<&IncludedData>,
    ) -> Result<(String, Option<BTreeMap<String, Vec<String>>>)> {
        if included == Some(&IncludedData::MetadataOnly) {
            return Ok(("{}".to_owned(), None));
        }
        let text = self.definition(partition, machine, digest).await?;
        // One that was taken before the language was read more strictly is shown all the same.
        let Ok(parsed) = self.parsed(partition, machine, digest).await else {
            return Ok((text, None));
        };
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let references: BTreeMap<String, Vec<String>> = parsed
            .variable_references()
            .into_iter()
            .map(|(state, names)| (state.to_owned(), owned(names)))
            .collect();
        Ok((text, Some(references).filter(|references| !references.is_empty())))
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
    let record = states.execution(ctx, &execution_arn).await?.value;
    let partition = ctx.partition();
    let (definition, variable_references) = states
        .described(
            &partition,
            &record.machine,
            &record.definition,
            included_data.as_ref(),
        )
        .await?;
    Ok(DescribeStateMachineForExecutionOutput {
        definition,
        name: record.machine.clone(),
        role_arn: record.role_arn,
        state_machine_arn: machine_arn(&partition, &record.machine),
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
    })
}
