//! From bytes to a call and back: which service and operation a request means, in which protocol, and the
//! answer in the same. Knows protocols, and no service by name.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use roadstead_protocol::json::BodyError;
use roadstead_protocol::{ApiError, Handler, Protocol, Value, ec2, json};

use crate::dispatcher::{Dispatcher, RawRequest, RawResponse};
use crate::listener::{Limits, Trust};
use crate::render;
use crate::sign_in::{foreign, sign_in};

const HEALTH: &str = "/_roadstead/health";

/// What a request asks for, before its caller is known.
struct Wanted {
    handler: Arc<dyn Handler>,
    protocol: Protocol,
    operation: String,
    form: Option<ec2::Form>,
}

/// An error before or after a service was found, and the protocol to say it in.
struct Failure {
    protocol: Protocol,
    request_id: String,
    error: ApiError,
}

impl Dispatcher {
    pub(crate) async fn answer(&self, request: RawRequest, trust: Trust, limits: Limits) -> RawResponse {
        if request.uri().path() == HEALTH && request.method() == Method::GET {
            let body = serde_json::json!({ "status": "running", "version": env!("CARGO_PKG_VERSION") });
            return respond(
                StatusCode::OK,
                "application/json",
                "",
                body.to_string().into_bytes(),
            );
        }
        let (parts, body) = request.into_parts();
        if trust == Trust::UnknownIsRoot && foreign(&parts) {
            let text = "Requests from web pages and for other hosts are refused on this listener.\n";
            return respond(StatusCode::FORBIDDEN, "text/plain", "", text.into());
        }
        match self.serve(parts, body, trust, limits).await {
            Ok(response) => response,
            Err(failure) => fail(&failure),
        }
    }

    async fn serve(
        &self,
        parts: Parts,
        body: Incoming,
        trust: Trust,
        limits: Limits,
    ) -> Result<RawResponse, Failure> {
        let request_id = roadstead_base::random_uuid();
        if let Some((service, raw)) = self.mounted(parts.uri.path()) {
            let ctx = sign_in(self, trust, &parts, b"", service).map_err(|refused| Failure {
                protocol: Protocol::Json11,
                request_id,
                error: ApiError::new("AccessDeniedException", 403, refused.to_string()),
            })?;
            return Ok(raw.serve(ctx, RawRequest::from_parts(parts, body)).await);
        }
        let guessed = guess(&parts);
        let early = |error| Failure {
            protocol: guessed,
            request_id: request_id.clone(),
            error,
        };
        let body = read(body, limits).await.map_err(early)?;
        if parts.headers.contains_key(http::header::CONTENT_ENCODING) {
            let error = ApiError::new(
                "UnsupportedMediaType",
                415,
                "Content-Encoding is not supported yet.",
            );
            return Err(early(error));
        }
        let wanted = self.wanted(&parts, &body, guessed).map_err(early)?;
        let model = wanted.handler.model();
        let protocol = wanted.protocol;
        let ctx = sign_in(self, trust, &parts, &body, model.signing_name).map_err(|refused| Failure {
            protocol,
            request_id,
            error: render::refused(model, &refused),
        })?;
        let failed = |error| Failure {
            protocol,
            request_id: ctx.request_id.clone(),
            error,
        };
        let Some(operation) = model.operation(&wanted.operation) else {
            return Err(failed(render::no_such_operation(model, &wanted.operation)));
        };
        let input = match wanted.form {
            Some(form) => form
                .decode(model, operation.input)
                .map_err(|violation| failed(render::violation(model, &violation)))?,
            None => json::decode(model, operation.input, &body).map_err(|error| {
                failed(match error {
                    BodyError::Violation(violation) => render::violation(model, &violation),
                    BodyError::Syntax(_) => ApiError::client("SerializationException", error.to_string()),
                })
            })?,
        };
        let output = self
            .pass(wanted.handler.as_ref(), operation.name, &ctx, input)
            .await
            .map_err(failed)?;
        Ok(self.encode(&wanted.handler, protocol, operation.name, output, &ctx.request_id))
    }

    fn wanted(&self, parts: &Parts, body: &[u8], guessed: Protocol) -> Result<Wanted, ApiError> {
        if let Some(target) = parts
            .headers
            .get("x-amz-target")
            .and_then(|value| value.to_str().ok())
        {
            let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
            let handler = self.handler(|model| model.target_prefix == prefix && !prefix.is_empty());
            let handler = handler.ok_or_else(|| {
                let shown: String = target.chars().take(128).collect();
                ApiError::client(
                    "UnknownOperationException",
                    format!("No service here answers to the target {shown}."),
                )
            })?;
            return Ok(Wanted {
                handler,
                protocol: guessed,
                operation: operation.to_owned(),
                form: None,
            });
        }
        if guessed != Protocol::Ec2 {
            return Err(ApiError::new(
                "UnknownOperationException",
                404,
                format!(
                    "No service here answers to {} {}.",
                    parts.method,
                    parts.uri.path()
                ),
            ));
        }
        let form = ec2::Form::parse(if parts.method == Method::GET {
            parts.uri.query().unwrap_or_default().as_bytes()
        } else {
            body
        })
        .map_err(|error| match error {
            ec2::FormError::NoAction => ApiError::client("MissingAction", error.to_string()),
            _ => ApiError::client("MalformedQueryString", error.to_string()),
        })?;
        let version = form.version.clone().unwrap_or_default();
        let handler = self
            .handler(|model| model.protocols.contains(&Protocol::Ec2) && model.api_version == version)
            .ok_or_else(|| {
                let shown: String = version.chars().take(32).collect();
                ApiError::client(
                    "NoSuchVersion",
                    format!("No service here has a query API of version {shown:?}."),
                )
            })?;
        Ok(Wanted {
            handler,
            protocol: Protocol::Ec2,
            operation: form.action.clone(),
            form: Some(form),
        })
    }

    fn encode(
        &self,
        handler: &Arc<dyn Handler>,
        protocol: Protocol,
        operation: &str,
        output: Value,
        request_id: &str,
    ) -> RawResponse {
        let model = handler.model();
        let Some(operation) = model.operation(operation) else {
            return fail(&Failure {
                protocol,
                request_id: request_id.to_owned(),
                error: render::no_such_operation(model, operation),
            });
        };
        let body = match protocol {
            Protocol::Ec2 => ec2::encode(model, operation, output, request_id),
            _ => json::encode(model, operation.output, output),
        };
        respond(StatusCode::OK, content_type(protocol), request_id, body)
    }
}

/// The protocol by what a request's head shows, to answer in kind even when nothing else can be read.
fn guess(parts: &Parts) -> Protocol {
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    let content = text("content-type");
    if content.starts_with("application/x-amz-json-1.0") {
        Protocol::Json10
    } else if parts.headers.contains_key("x-amz-target") || content.starts_with("application/x-amz-json-1.1")
    {
        Protocol::Json11
    } else if content.starts_with("application/x-www-form-urlencoded")
        || (parts.method == Method::GET && parts.uri.query().is_some_and(|query| query.contains("Action=")))
    {
        Protocol::Ec2
    } else {
        Protocol::Json11
    }
}

async fn read(body: Incoming, limits: Limits) -> Result<Bytes, ApiError> {
    let limited = Limited::new(body, limits.body).collect();
    match tokio::time::timeout(limits.read, limited).await {
        Err(_) => Err(ApiError::new(
            "RequestTimeout",
            408,
            "The body did not arrive in time.",
        )),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::new(
            "RequestEntityTooLarge",
            413,
            format!("The body is larger than {} bytes.", limits.body),
        )),
        Ok(Err(_)) => Err(ApiError::client(
            "IncompleteBody",
            "The body ended before its stated length.",
        )),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Ec2 | Protocol::Query => "text/xml;charset=UTF-8",
        Protocol::RestXml => "application/xml",
        Protocol::RestJson => "application/json",
        Protocol::RpcV2Cbor => "application/cbor",
    }
}

fn fail(failure: &Failure) -> RawResponse {
    let Failure {
        protocol,
        request_id,
        error,
    } = failure;
    let body = match protocol {
        Protocol::Ec2 => ec2::encode_error(None, error, request_id),
        _ => json::encode_error(None, error),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(status, content_type(*protocol), request_id, body)
}

fn respond(status: StatusCode, content_type: &'static str, request_id: &str, body: Vec<u8>) -> RawResponse {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(value) = HeaderValue::from_str(request_id)
        && !request_id.is_empty()
    {
        headers.insert("x-amzn-requestid", value);
    }
    response
}
