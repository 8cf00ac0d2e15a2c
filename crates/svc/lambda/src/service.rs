//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use std::sync::Arc;

use roadstead_api_lambda as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{
    Lambda, aliases, code_signing, event_config, functions, invoke, layers, policy, reserved, tags, versions,
};

/// The service as the dispatcher has it.
pub struct Server(pub Arc<Lambda>);

impl api::Lambda for Server {
    async fn create_function(
        &self,
        ctx: &Ctx,
        input: api::CreateFunctionRequest,
    ) -> Result<api::FunctionConfiguration, ApiError> {
        Ok(functions::create_function(&self.0, ctx, input).await?)
    }

    async fn delete_function(
        &self,
        ctx: &Ctx,
        input: api::DeleteFunctionRequest,
    ) -> Result<api::DeleteFunctionResponse, ApiError> {
        Ok(functions::delete_function(&self.0, ctx, input).await?)
    }

    async fn get_function(
        &self,
        ctx: &Ctx,
        input: api::GetFunctionRequest,
    ) -> Result<api::GetFunctionResponse, ApiError> {
        Ok(functions::get_function(&self.0, ctx, input)?)
    }

    async fn get_function_configuration(
        &self,
        ctx: &Ctx,
        input: api::GetFunctionConfigurationRequest,
    ) -> Result<api::FunctionConfiguration, ApiError> {
        Ok(functions::get_function_configuration(&self.0, ctx, input)?)
    }

    async fn invoke(
        &self,
        ctx: &Ctx,
        input: api::InvocationRequest,
    ) -> Result<api::InvocationResponse, ApiError> {
        Ok(invoke::invoke(&self.0, ctx, input).await?)
    }

    async fn list_functions(
        &self,
        ctx: &Ctx,
        input: api::ListFunctionsRequest,
    ) -> Result<api::ListFunctionsResponse, ApiError> {
        Ok(functions::list_functions(&self.0, ctx, input)?)
    }

    async fn list_tags(
        &self,
        ctx: &Ctx,
        input: api::ListTagsRequest,
    ) -> Result<api::ListTagsResponse, ApiError> {
        Ok(tags::list_tags(&self.0, ctx, input)?)
    }

    async fn tag_resource(&self, ctx: &Ctx, input: api::TagResourceRequest) -> Result<(), ApiError> {
        Ok(tags::tag_resource(&self.0, ctx, input).await?)
    }

    async fn untag_resource(&self, ctx: &Ctx, input: api::UntagResourceRequest) -> Result<(), ApiError> {
        Ok(tags::untag_resource(&self.0, ctx, input).await?)
    }

    async fn add_permission(
        &self,
        ctx: &Ctx,
        input: api::AddPermissionRequest,
    ) -> Result<api::AddPermissionResponse, ApiError> {
        Ok(policy::add_permission(&self.0, ctx, input).await?)
    }

    async fn create_alias(
        &self,
        ctx: &Ctx,
        input: api::CreateAliasRequest,
    ) -> Result<api::AliasConfiguration, ApiError> {
        Ok(aliases::create_alias(&self.0, ctx, input).await?)
    }

    async fn delete_alias(&self, ctx: &Ctx, input: api::DeleteAliasRequest) -> Result<(), ApiError> {
        Ok(aliases::delete_alias(&self.0, ctx, input).await?)
    }

    async fn delete_function_concurrency(
        &self,
        ctx: &Ctx,
        input: api::DeleteFunctionConcurrencyRequest,
    ) -> Result<(), ApiError> {
        Ok(reserved::delete_function_concurrency(&self.0, ctx, input).await?)
    }

    async fn delete_function_event_invoke_config(
        &self,
        ctx: &Ctx,
        input: api::DeleteFunctionEventInvokeConfigRequest,
    ) -> Result<(), ApiError> {
        Ok(event_config::delete_function_event_invoke_config(&self.0, ctx, input).await?)
    }

    async fn get_account_settings(
        &self,
        ctx: &Ctx,
        input: api::GetAccountSettingsRequest,
    ) -> Result<api::GetAccountSettingsResponse, ApiError> {
        Ok(reserved::get_account_settings(&self.0, ctx, input)?)
    }

    async fn get_alias(
        &self,
        ctx: &Ctx,
        input: api::GetAliasRequest,
    ) -> Result<api::AliasConfiguration, ApiError> {
        Ok(aliases::get_alias(&self.0, ctx, input)?)
    }

    async fn get_function_code_signing_config(
        &self,
        ctx: &Ctx,
        input: api::GetFunctionCodeSigningConfigRequest,
    ) -> Result<api::GetFunctionCodeSigningConfigResponse, ApiError> {
        Ok(code_signing::get_function_code_signing_config(
            &self.0, ctx, input,
        )?)
    }

    async fn get_function_concurrency(
        &self,
        ctx: &Ctx,
        input: api::GetFunctionConcurrencyRequest,
    ) -> Result<api::GetFunctionConcurrencyResponse, ApiError> {
        Ok(reserved::get_function_concurrency(&self.0, ctx, input)?)
    }

    async fn get_function_event_invoke_config(
        &self,
        ctx: &Ctx,
        input: api::GetFunctionEventInvokeConfigRequest,
    ) -> Result<api::FunctionEventInvokeConfig, ApiError> {
        Ok(event_config::get_function_event_invoke_config(
            &self.0, ctx, input,
        )?)
    }

    async fn get_policy(
        &self,
        ctx: &Ctx,
        input: api::GetPolicyRequest,
    ) -> Result<api::GetPolicyResponse, ApiError> {
        Ok(policy::get_policy(&self.0, ctx, input)?)
    }

    async fn list_aliases(
        &self,
        ctx: &Ctx,
        input: api::ListAliasesRequest,
    ) -> Result<api::ListAliasesResponse, ApiError> {
        Ok(aliases::list_aliases(&self.0, ctx, input)?)
    }

    async fn list_function_event_invoke_configs(
        &self,
        ctx: &Ctx,
        input: api::ListFunctionEventInvokeConfigsRequest,
    ) -> Result<api::ListFunctionEventInvokeConfigsResponse, ApiError> {
        Ok(event_config::list_function_event_invoke_configs(
            &self.0, ctx, input,
        )?)
    }

    async fn list_versions_by_function(
        &self,
        ctx: &Ctx,
        input: api::ListVersionsByFunctionRequest,
    ) -> Result<api::ListVersionsByFunctionResponse, ApiError> {
        Ok(versions::list_versions_by_function(&self.0, ctx, input)?)
    }

    async fn publish_version(
        &self,
        ctx: &Ctx,
        input: api::PublishVersionRequest,
    ) -> Result<api::FunctionConfiguration, ApiError> {
        Ok(versions::publish_version(&self.0, ctx, input).await?)
    }

    async fn put_function_concurrency(
        &self,
        ctx: &Ctx,
        input: api::PutFunctionConcurrencyRequest,
    ) -> Result<api::Concurrency, ApiError> {
        Ok(reserved::put_function_concurrency(&self.0, ctx, input).await?)
    }

    async fn put_function_event_invoke_config(
        &self,
        ctx: &Ctx,
        input: api::PutFunctionEventInvokeConfigRequest,
    ) -> Result<api::FunctionEventInvokeConfig, ApiError> {
        Ok(event_config::put_function_event_invoke_config(&self.0, ctx, input).await?)
    }

    async fn remove_permission(
        &self,
        ctx: &Ctx,
        input: api::RemovePermissionRequest,
    ) -> Result<(), ApiError> {
        Ok(policy::remove_permission(&self.0, ctx, input).await?)
    }

    async fn update_alias(
        &self,
        ctx: &Ctx,
        input: api::UpdateAliasRequest,
    ) -> Result<api::AliasConfiguration, ApiError> {
        Ok(aliases::update_alias(&self.0, ctx, input).await?)
    }

    async fn update_function_code(
        &self,
        ctx: &Ctx,
        input: api::UpdateFunctionCodeRequest,
    ) -> Result<api::FunctionConfiguration, ApiError> {
        Ok(functions::update_function_code(&self.0, ctx, input).await?)
    }

    async fn update_function_configuration(
        &self,
        ctx: &Ctx,
        input: api::UpdateFunctionConfigurationRequest,
    ) -> Result<api::FunctionConfiguration, ApiError> {
        Ok(functions::update_function_configuration(&self.0, ctx, input).await?)
    }

    async fn update_function_event_invoke_config(
        &self,
        ctx: &Ctx,
        input: api::UpdateFunctionEventInvokeConfigRequest,
    ) -> Result<api::FunctionEventInvokeConfig, ApiError> {
        Ok(event_config::update_function_event_invoke_config(&self.0, ctx, input).await?)
    }

    async fn add_layer_version_permission(
        &self,
        ctx: &Ctx,
        input: api::AddLayerVersionPermissionRequest,
    ) -> Result<api::AddLayerVersionPermissionResponse, ApiError> {
        Ok(layers::add_layer_version_permission(&self.0, ctx, input).await?)
    }

    async fn delete_layer_version(
        &self,
        ctx: &Ctx,
        input: api::DeleteLayerVersionRequest,
    ) -> Result<(), ApiError> {
        Ok(layers::delete_layer_version(&self.0, ctx, input).await?)
    }

    async fn get_layer_version(
        &self,
        ctx: &Ctx,
        input: api::GetLayerVersionRequest,
    ) -> Result<api::GetLayerVersionResponse, ApiError> {
        Ok(layers::get_layer_version(&self.0, ctx, input)?)
    }

    async fn get_layer_version_by_arn(
        &self,
        ctx: &Ctx,
        input: api::GetLayerVersionByArnRequest,
    ) -> Result<api::GetLayerVersionResponse, ApiError> {
        Ok(layers::get_layer_version_by_arn(&self.0, ctx, input)?)
    }

    async fn get_layer_version_policy(
        &self,
        ctx: &Ctx,
        input: api::GetLayerVersionPolicyRequest,
    ) -> Result<api::GetLayerVersionPolicyResponse, ApiError> {
        Ok(layers::get_layer_version_policy(&self.0, ctx, input)?)
    }

    async fn list_layer_versions(
        &self,
        ctx: &Ctx,
        input: api::ListLayerVersionsRequest,
    ) -> Result<api::ListLayerVersionsResponse, ApiError> {
        Ok(layers::list_layer_versions(&self.0, ctx, input)?)
    }

    async fn list_layers(
        &self,
        ctx: &Ctx,
        input: api::ListLayersRequest,
    ) -> Result<api::ListLayersResponse, ApiError> {
        Ok(layers::list_layers(&self.0, ctx, input)?)
    }

    async fn publish_layer_version(
        &self,
        ctx: &Ctx,
        input: api::PublishLayerVersionRequest,
    ) -> Result<api::PublishLayerVersionResponse, ApiError> {
        Ok(layers::publish_layer_version(&self.0, ctx, input).await?)
    }

    async fn remove_layer_version_permission(
        &self,
        ctx: &Ctx,
        input: api::RemoveLayerVersionPermissionRequest,
    ) -> Result<(), ApiError> {
        Ok(layers::remove_layer_version_permission(&self.0, ctx, input).await?)
    }
}
