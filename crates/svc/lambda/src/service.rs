//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use std::sync::Arc;

use roadstead_api_lambda as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Lambda, functions, invoke, tags};

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
}
