//! `DescribeStateMachineForExecution`: the machine as an execution has it, whatever became of the machine since.

use roadstead_api_stepfunctions::{
    DescribeStateMachineForExecutionInput, DescribeStateMachineForExecutionOutput, EncryptionConfiguration,
    EncryptionType, IncludedData, LogLevel, LoggingConfiguration, TracingConfiguration,
};
use roadstead_base::Ctx;

use crate::States;
use crate::error::Result;
use crate::names::machine_arn;

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
    let definition = match included_data {
        Some(IncludedData::MetadataOnly) => "{}".to_owned(),
        None | Some(IncludedData::AllData) => {
            states
                .definition(&partition, &record.machine, &record.definition)
                .await?
        }
    };
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
        logging_configuration: Some(LoggingConfiguration {
            level: Some(LogLevel::Off),
            include_execution_data: Some(false),
            ..LoggingConfiguration::default()
        }),
        revision_id: record.origin.revision,
        tracing_configuration: Some(TracingConfiguration { enabled: Some(false) }),
        ..DescribeStateMachineForExecutionOutput::default()
    })
}
