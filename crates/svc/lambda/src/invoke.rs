//! Invoke.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use roadstead_api_lambda::{InvocationRequest, InvocationResponse, InvocationType, LogType};
use roadstead_base::Ctx;
use roadstead_functions::Ending;
use roadstead_protocol::Blob;
use serde::de::IgnoredAny;

use crate::Lambda;
use crate::error::{Error, Result, refuse};
use crate::names::Named;
use crate::run::Job;

/// Bytes of an event. Source: "Lambda quotas".
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// Of one that waits until it is its turn.
const MAX_EVENT: usize = 1024 * 1024;
/// Bytes of base64.
const MAX_CLIENT_CONTEXT: usize = 3583;

pub(crate) async fn invoke(
    lambda: &Arc<Lambda>,
    ctx: &Ctx,
    input: InvocationRequest,
) -> Result<InvocationResponse> {
    let InvocationRequest {
        function_name,
        client_context,
        durable_execution_name,
        invocation_type,
        log_type,
        payload,
        qualifier,
        tenant_id,
    } = input;
    refuse("DurableExecutionName", durable_execution_name.as_ref())?;
    refuse("TenantId", tenant_id.as_ref())?;
    let partition = ctx.partition();
    let named = Named::of(ctx, &function_name, qualifier.as_deref())?;
    let (function, version) = lambda.to_run(&partition, &named)?;
    let kind = invocation_type.unwrap_or(InvocationType::RequestResponse);
    let most = match kind {
        InvocationType::Event => MAX_EVENT,
        _ => MAX_PAYLOAD,
    };
    let payload = event(payload, kind.as_str(), most)?;
    let client_context = client_context.map(context).transpose()?;
    let executed_version = Some(version.version());
    match kind {
        InvocationType::Event => {
            // As documented, the context and the end of the log are of synchronous invocations alone.
            lambda.owe(ctx, &named, &payload).await?;
            return Ok(InvocationResponse {
                status_code: Some(202),
                ..InvocationResponse::default()
            });
        }
        InvocationType::DryRun => {
            return Ok(InvocationResponse {
                executed_version,
                status_code: Some(204),
                ..InvocationResponse::default()
            });
        }
        InvocationType::RequestResponse => {}
    }
    let job = Job {
        partition,
        function,
        version,
        qualifier: named.qualifier,
        request_id: ctx.request_id.clone(),
        payload,
        client_context,
        tail: log_type == Some(LogType::Tail),
    };
    let outcome = lambda.run(job).await?;
    let (payload, function_error) = match outcome.ending {
        Ending::Returned(payload) => (payload, None),
        Ending::Failed(failure) => (failure.body, Some("Unhandled".to_owned())),
    };
    Ok(InvocationResponse {
        durable_execution_arn: None,
        executed_version,
        function_error,
        log_result: outcome.log_tail.map(|tail| STANDARD.encode(tail)),
        payload: Some(Blob(payload.to_vec())),
        status_code: Some(200),
    })
}

/// The event: JSON, and an empty object where there is none.
fn event(payload: Option<Blob>, kind: &str, most: usize) -> Result<Bytes> {
    let bytes = payload.map(|Blob(bytes)| bytes).unwrap_or_default();
    if bytes.len() > most {
        return Err(Error::PayloadTooLarge {
            size: bytes.len(),
            kind: kind.to_owned(),
            most,
        });
    }
    if bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let parsed: Result<IgnoredAny, _> = serde_json::from_slice(&bytes);
    parsed.map_err(|error| Error::Payload(error.to_string()))?;
    Ok(bytes.into())
}

/// What the client says of itself: JSON in base64.
fn context(encoded: String) -> Result<String> {
    if encoded.len() > MAX_CLIENT_CONTEXT {
        return Err(Error::ClientContext("It is larger than 3583 bytes."));
    }
    let object = || Error::ClientContext("Client context must be a valid Base64-encoded JSON object.");
    let bytes = STANDARD.decode(encoded).map_err(|_| object())?;
    let text = String::from_utf8(bytes).map_err(|_| object())?;
    let parsed: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_str(&text);
    parsed.map_err(|_| object())?;
    Ok(text)
}
