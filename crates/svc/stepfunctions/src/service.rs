//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_stepfunctions as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{
    States, activities, aliases, described, executions, express, history, listed, machines, map_runs,
    redrive, tags, test_state, tokens, validate, versions,
};

impl api::StepFunctions for States {
    async fn create_activity(
        &self,
        ctx: &Ctx,
        input: api::CreateActivityInput,
    ) -> Result<api::CreateActivityOutput, ApiError> {
        Ok(activities::create_activity(self, ctx, input).await?)
    }

    async fn delete_activity(
        &self,
        ctx: &Ctx,
        input: api::DeleteActivityInput,
    ) -> Result<api::DeleteActivityOutput, ApiError> {
        Ok(activities::delete_activity(self, ctx, input).await?)
    }

    async fn describe_activity(
        &self,
        ctx: &Ctx,
        input: api::DescribeActivityInput,
    ) -> Result<api::DescribeActivityOutput, ApiError> {
        Ok(activities::describe_activity(self, ctx, input)?)
    }

    async fn get_activity_task(
        &self,
        ctx: &Ctx,
        input: api::GetActivityTaskInput,
    ) -> Result<api::GetActivityTaskOutput, ApiError> {
        Ok(activities::get_activity_task(self, ctx, input).await?)
    }

    async fn list_activities(
        &self,
        ctx: &Ctx,
        input: api::ListActivitiesInput,
    ) -> Result<api::ListActivitiesOutput, ApiError> {
        Ok(activities::list_activities(self, ctx, input)?)
    }

    async fn create_state_machine(
        &self,
        ctx: &Ctx,
        input: api::CreateStateMachineInput,
    ) -> Result<api::CreateStateMachineOutput, ApiError> {
        Ok(machines::create_state_machine(self, ctx, input).await?)
    }

    async fn delete_state_machine(
        &self,
        ctx: &Ctx,
        input: api::DeleteStateMachineInput,
    ) -> Result<api::DeleteStateMachineOutput, ApiError> {
        Ok(machines::delete_state_machine(self, ctx, input).await?)
    }

    async fn describe_execution(
        &self,
        ctx: &Ctx,
        input: api::DescribeExecutionInput,
    ) -> Result<api::DescribeExecutionOutput, ApiError> {
        Ok(executions::describe_execution(self, ctx, input).await?)
    }

    async fn describe_state_machine(
        &self,
        ctx: &Ctx,
        input: api::DescribeStateMachineInput,
    ) -> Result<api::DescribeStateMachineOutput, ApiError> {
        Ok(machines::describe_state_machine(self, ctx, input).await?)
    }

    async fn get_execution_history(
        &self,
        ctx: &Ctx,
        input: api::GetExecutionHistoryInput,
    ) -> Result<api::GetExecutionHistoryOutput, ApiError> {
        Ok(history::get_execution_history(self, ctx, input).await?)
    }

    async fn list_executions(
        &self,
        ctx: &Ctx,
        input: api::ListExecutionsInput,
    ) -> Result<api::ListExecutionsOutput, ApiError> {
        Ok(executions::list_executions(self, ctx, input).await?)
    }

    async fn list_state_machines(
        &self,
        ctx: &Ctx,
        input: api::ListStateMachinesInput,
    ) -> Result<api::ListStateMachinesOutput, ApiError> {
        Ok(listed::list_state_machines(self, ctx, input)?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceInput,
    ) -> Result<api::ListTagsForResourceOutput, ApiError> {
        Ok(tags::list_tags_for_resource(self, ctx, input)?)
    }

    async fn send_task_failure(
        &self,
        ctx: &Ctx,
        input: api::SendTaskFailureInput,
    ) -> Result<api::SendTaskFailureOutput, ApiError> {
        Ok(tokens::send_task_failure(self, ctx, input).await?)
    }

    async fn send_task_heartbeat(
        &self,
        ctx: &Ctx,
        input: api::SendTaskHeartbeatInput,
    ) -> Result<api::SendTaskHeartbeatOutput, ApiError> {
        Ok(tokens::send_task_heartbeat(self, ctx, input).await?)
    }

    async fn send_task_success(
        &self,
        ctx: &Ctx,
        input: api::SendTaskSuccessInput,
    ) -> Result<api::SendTaskSuccessOutput, ApiError> {
        Ok(tokens::send_task_success(self, ctx, input).await?)
    }

    async fn redrive_execution(
        &self,
        ctx: &Ctx,
        input: api::RedriveExecutionInput,
    ) -> Result<api::RedriveExecutionOutput, ApiError> {
        Ok(redrive::redrive_execution(self, ctx, input).await?)
    }

    async fn start_execution(
        &self,
        ctx: &Ctx,
        input: api::StartExecutionInput,
    ) -> Result<api::StartExecutionOutput, ApiError> {
        Ok(executions::start_execution(self, ctx, input).await?)
    }

    async fn start_sync_execution(
        &self,
        ctx: &Ctx,
        input: api::StartSyncExecutionInput,
    ) -> Result<api::StartSyncExecutionOutput, ApiError> {
        Ok(express::start_sync_execution(self, ctx, input).await?)
    }

    async fn stop_execution(
        &self,
        ctx: &Ctx,
        input: api::StopExecutionInput,
    ) -> Result<api::StopExecutionOutput, ApiError> {
        Ok(executions::stop_execution(self, ctx, input).await?)
    }

    async fn describe_map_run(
        &self,
        ctx: &Ctx,
        input: api::DescribeMapRunInput,
    ) -> Result<api::DescribeMapRunOutput, ApiError> {
        Ok(map_runs::describe_map_run(ctx, input)?)
    }

    async fn list_map_runs(
        &self,
        ctx: &Ctx,
        input: api::ListMapRunsInput,
    ) -> Result<api::ListMapRunsOutput, ApiError> {
        Ok(map_runs::list_map_runs(self, ctx, input).await?)
    }

    async fn update_map_run(
        &self,
        ctx: &Ctx,
        input: api::UpdateMapRunInput,
    ) -> Result<api::UpdateMapRunOutput, ApiError> {
        Ok(map_runs::update_map_run(ctx, input)?)
    }

    async fn test_state(
        &self,
        ctx: &Ctx,
        input: api::TestStateInput,
    ) -> Result<api::TestStateOutput, ApiError> {
        Ok(test_state::test_state(self, ctx, input).await?)
    }

    async fn tag_resource(
        &self,
        ctx: &Ctx,
        input: api::TagResourceInput,
    ) -> Result<api::TagResourceOutput, ApiError> {
        Ok(tags::tag_resource(self, ctx, input).await?)
    }

    async fn untag_resource(
        &self,
        ctx: &Ctx,
        input: api::UntagResourceInput,
    ) -> Result<api::UntagResourceOutput, ApiError> {
        Ok(tags::untag_resource(self, ctx, input).await?)
    }

    async fn update_state_machine(
        &self,
        ctx: &Ctx,
        input: api::UpdateStateMachineInput,
    ) -> Result<api::UpdateStateMachineOutput, ApiError> {
        Ok(machines::update_state_machine(self, ctx, input).await?)
    }

    async fn validate_state_machine_definition(
        &self,
        _ctx: &Ctx,
        input: api::ValidateStateMachineDefinitionInput,
    ) -> Result<api::ValidateStateMachineDefinitionOutput, ApiError> {
        Ok(validate::validate_state_machine_definition(self, input)?)
    }

    async fn create_state_machine_alias(
        &self,
        ctx: &Ctx,
        input: api::CreateStateMachineAliasInput,
    ) -> Result<api::CreateStateMachineAliasOutput, ApiError> {
        Ok(aliases::create_state_machine_alias(self, ctx, input).await?)
    }

    async fn delete_state_machine_alias(
        &self,
        ctx: &Ctx,
        input: api::DeleteStateMachineAliasInput,
    ) -> Result<api::DeleteStateMachineAliasOutput, ApiError> {
        Ok(aliases::delete_state_machine_alias(self, ctx, input).await?)
    }

    async fn delete_state_machine_version(
        &self,
        ctx: &Ctx,
        input: api::DeleteStateMachineVersionInput,
    ) -> Result<api::DeleteStateMachineVersionOutput, ApiError> {
        Ok(versions::delete_state_machine_version(self, ctx, input).await?)
    }

    async fn describe_state_machine_alias(
        &self,
        ctx: &Ctx,
        input: api::DescribeStateMachineAliasInput,
    ) -> Result<api::DescribeStateMachineAliasOutput, ApiError> {
        Ok(aliases::describe_state_machine_alias(self, ctx, input).await?)
    }

    async fn describe_state_machine_for_execution(
        &self,
        ctx: &Ctx,
        input: api::DescribeStateMachineForExecutionInput,
    ) -> Result<api::DescribeStateMachineForExecutionOutput, ApiError> {
        Ok(described::describe_state_machine_for_execution(self, ctx, input).await?)
    }

    async fn list_state_machine_aliases(
        &self,
        ctx: &Ctx,
        input: api::ListStateMachineAliasesInput,
    ) -> Result<api::ListStateMachineAliasesOutput, ApiError> {
        Ok(aliases::list_state_machine_aliases(self, ctx, input).await?)
    }

    async fn list_state_machine_versions(
        &self,
        ctx: &Ctx,
        input: api::ListStateMachineVersionsInput,
    ) -> Result<api::ListStateMachineVersionsOutput, ApiError> {
        Ok(versions::list_state_machine_versions(self, ctx, input).await?)
    }

    async fn publish_state_machine_version(
        &self,
        ctx: &Ctx,
        input: api::PublishStateMachineVersionInput,
    ) -> Result<api::PublishStateMachineVersionOutput, ApiError> {
        Ok(versions::publish_state_machine_version(self, ctx, input).await?)
    }

    async fn update_state_machine_alias(
        &self,
        ctx: &Ctx,
        input: api::UpdateStateMachineAliasInput,
    ) -> Result<api::UpdateStateMachineAliasOutput, ApiError> {
        Ok(aliases::update_state_machine_alias(self, ctx, input).await?)
    }
}
