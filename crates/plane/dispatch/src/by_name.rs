//! Calls by names and in JSON, for callers that learn only at run time whom they call: rules and state machines. They
//! pass the gate like any other call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roadstead_base::Ctx;
use roadstead_protocol::{ApiError, ServiceModel, Value, json};
use serde_json::Value as Json;

use crate::dispatcher::Dispatcher;
use crate::render;

/// What `Invoke` of `lambda` is asked for a function to be called with a JSON text, asynchronously: the answer is that the
/// call was taken.
pub fn invocation(function_arn: &str, payload: &[u8]) -> Json {
    serde_json::json!({
        "FunctionName": function_arn,
        "InvocationType": "Event",
        "Payload": BASE64.encode(payload),
    })
}

impl Dispatcher {
    /// Whether there is a service here by that short name.
    pub fn serves(&self, service: &str) -> bool {
        self.handler(|model| model.name == service).is_some()
    }

    /// The model of the service here by that short name.
    pub fn model(&self, service: &str) -> Option<&'static ServiceModel> {
        self.handler(|model| model.name == service)
            .map(|handler| handler.model())
    }

    /// Calls an operation of a service by its short name, `ecs`.
    ///
    /// # Errors
    /// There is no such service here, the input does not fit the model, or the service's own.
    pub async fn call_json(
        &self,
        service: &str,
        operation: &str,
        ctx: &Ctx,
        input: Json,
    ) -> Result<Json, ApiError> {
        let handler = self.handler(|model| model.name == service).ok_or_else(|| {
            let message = format!("{service} is not running here");
            ApiError::new("ServiceUnavailable", 503, message)
        })?;
        let model = handler.model();
        let Some(known) = model.operation(operation) else {
            return Err(render::no_such_operation(model, operation));
        };
        let input = match known.input {
            Some(shape) => json::from_json(model, shape, input, "")
                .map_err(|violation| render::violation(model, &violation))?,
            None => Value::empty(),
        };
        let output = self.pass(handler.as_ref(), operation, ctx, input).await?;
        let shown = known.output.map(|shape| json::to_json(model, shape, output));
        Ok(shown.unwrap_or(Json::Null))
    }
}
