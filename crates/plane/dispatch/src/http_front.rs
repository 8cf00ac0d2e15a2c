//! From bytes to a call and back: which service and operation a request means, in which protocol, and the
//! answer in the same. Knows protocols by their codecs, and no service by name.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use roadstead_protocol::events::{self, Framer};
use roadstead_protocol::{
    ApiError, Codec, EncodeError, EventStream, HttpRequest, HttpResponse, Protocol, RequestError,
    ServiceModel, codec,
};
use tokio::sync::Semaphore;

use crate::answer::{Body, Events};
use crate::body::{decompress, keeps_encoding, limits_of, read, strip_chunking, unchunk};
use crate::dispatcher::{Dispatcher, RawRequest, RawResponse};
use crate::listener::{Limits, MAX_HEAD, Trust};
use crate::render;
use crate::routing::{Lost, Wanted, fill_queue_url, guess, is_form};
use crate::sign_in::{Claim, Refused, foreign, one_host, signed_for};
use crate::tls::Security;

const HEALTH: &str = "/_roadstead/health";

/// The listener a request came in by.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) trust: Trust,
    pub(crate) limits: Limits,
    pub(crate) security: Security,
    /// KiB for bodies.
    pub(crate) memory: Arc<Semaphore>,
    /// Who is at the other end of the connection.
    pub(crate) peer: Option<std::net::IpAddr>,
}

/// An error before or after a service was found, and the protocol to say it in.
struct Failure {
    codec: &'static dyn Codec,
    model: Option<&'static ServiceModel>,
    request_id: String,
    error: ApiError,
}

impl Dispatcher {
    pub(crate) async fn answer(&self, request: RawRequest, door: &Door) -> RawResponse {
        if request.uri().path() == HEALTH && request.method() == Method::GET {
            let status = if self.is_ready() { "running" } else { "starting" };
            let body = serde_json::json!({ "status": status, "version": env!("CARGO_PKG_VERSION") });
            return plain(StatusCode::OK, "application/json", body.to_string());
        }
        let (mut parts, body) = request.into_parts();
        if head_size(&parts) > MAX_HEAD {
            let text = "The request's head is too large.\n";
            return plain(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "text/plain",
                text.into(),
            );
        }
        if !one_host(&mut parts) {
            let text = "The request names no host, or two.\n";
            return plain(StatusCode::BAD_REQUEST, "text/plain", text.into());
        }
        if door.trust == Trust::UnknownIsRoot && foreign(&parts) {
            let text = "Requests from web pages and for other hosts are refused on this listener.\n";
            return plain(StatusCode::FORBIDDEN, "text/plain", text.into());
        }
        match self.serve(parts, body, door).await {
            Ok(response) => response,
            Err(failure) => fail(&failure),
        }
    }

    async fn serve(&self, mut parts: Parts, body: Incoming, door: &Door) -> Result<RawResponse, Failure> {
        let request_id = roadstead_base::random_uuid();
        let claim = Claim::of(self, door.trust, &parts);
        if let Some((service, raw)) = self.mounted(parts.uri.path()) {
            let signed =
                parts.headers.contains_key(http::header::AUTHORIZATION) || parts.uri.query().is_some();
            let local = raw.is_open_to_strangers() && door.trust == Trust::UnknownIsRoot;
            let open = !signed && (local || raw.has_proof_of_its_own());
            if let Some(ctx) = open.then(|| self.stranger(door.peer)).flatten() {
                return Ok(raw.serve(ctx, RawRequest::from_parts(parts, body)).await);
            }
            let proven = claim.and_then(|claim| claim.prove(self, &parts, b"", service, door.peer));
            let (ctx, _) = proven.map_err(|refused| Failure {
                codec: codec(Protocol::Json11),
                model: None,
                request_id,
                error: ApiError::new("AccessDeniedException", 403, refused.to_string()),
            })?;
            self.may_enter(raw.as_ref(), &ctx).map_err(|error| Failure {
                codec: codec(Protocol::Json11),
                model: None,
                request_id: ctx.request_id.clone(),
                error,
            })?;
            return Ok(raw.serve(ctx, RawRequest::from_parts(parts, body)).await);
        }
        let guessed = guess(&parts);
        let signed_for = signed_for(&parts);
        let early = |Lost { found, error }| Failure {
            codec: codec(found.as_ref().map_or(guessed, |(_, protocol)| *protocol)),
            model: found.map(|(handler, _)| handler.model()),
            request_id: request_id.clone(),
            error,
        };
        let wanted = self
            .wanted_by_head(&parts, guessed, signed_for.as_deref())
            .map_err(early)?;
        // A form's body says which service it is for; its signature says so before.
        let found = match &wanted {
            Some(wanted) => Some((wanted.handler.model(), wanted.protocol)),
            None => self.form_service(signed_for.as_deref()),
        };
        let claim = claim.map_err(|refused| unwelcome(found, guessed, &request_id, &refused))?;
        let unread = |error| Failure {
            codec: codec(found.map_or(guessed, |(_, protocol)| protocol)),
            model: found.map(|(model, _)| model),
            request_id: request_id.clone(),
            error,
        };
        let limits = match &wanted {
            Some(wanted) => limits_of(wanted.handler.model(), wanted.operation, door.limits),
            None => door.limits,
        };
        let held = read(&parts, body, limits, &door.memory).await.map_err(unread)?;
        let Wanted {
            handler,
            protocol,
            operation,
        } = match wanted {
            Some(wanted) => wanted,
            None => {
                let body = decompress(&parts.headers, held.bytes.clone(), limits).map_err(unread)?;
                let found = self.wanted_by_form(&view(&parts, &body), signed_for.as_deref());
                found.map_err(early)?
            }
        };
        let model = handler.model();
        let refused = |refused: Refused| unwelcome(Some((model, protocol)), guessed, &request_id, &refused);
        let (ctx, chunks) = claim
            .prove(self, &parts, &held.bytes, model.signing_name, door.peer)
            .map_err(refused)?;
        let failed = |error| Failure {
            codec: codec(protocol),
            model: Some(model),
            request_id: ctx.request_id.clone(),
            error,
        };
        strip_chunking(&mut parts.headers);
        let mut body = unchunk(&parts.headers, held.bytes.clone(), chunks.as_ref())
            .map_err(|error| failed(render::refused(model, &error.into())))?;
        if !keeps_encoding(model, operation) {
            body = decompress(&parts.headers, body, limits).map_err(failed)?;
        }
        let mut input = codec(protocol)
            .decode(model, operation, &view(&parts, &body))
            .map_err(|error| {
                failed(match error {
                    RequestError::Violation(violation) => render::violation(model, &violation),
                    RequestError::Syntax { .. } => render::unreadable(model, &error),
                })
            })?;
        if is_form(protocol) {
            fill_queue_url(model, operation, parts.uri.path(), &mut input);
        }
        let mut output = self
            .pass(handler.as_ref(), operation.name, &ctx, input)
            .await
            .map_err(failed)?;
        let stream = events::split(model, operation, &mut output);
        let encoded = codec(protocol).encode(model, operation, output, &ctx.request_id);
        let response = encoded.map_err(|error| failed(unsayable(model, &error)))?;
        let Some((shape, stream)) = stream else {
            return Ok(respond(response, Some(model), &ctx.request_id));
        };
        let framer = Framer::new(model, shape, protocol);
        Ok(respond_with_events(
            response,
            framer,
            &stream,
            model,
            &ctx.request_id,
        ))
    }
}

/// Bytes of a request's head, about. The HTTP parser's own bound is a coarse one.
fn head_size(parts: &Parts) -> usize {
    let path = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers = parts.headers.iter();
    path + headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum::<usize>()
}

/// A request as a protocol sees it.
fn view<'a>(parts: &'a Parts, body: &'a [u8]) -> HttpRequest<'a> {
    HttpRequest {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    }
}

/// A service's answer that cannot be written.
fn unsayable(model: &ServiceModel, error: &EncodeError) -> ApiError {
    tracing::error!(service = model.name, %error, "an answer could not be written");
    ApiError::new("InternalFailure", 500, "The answer could not be written.")
}

fn unwelcome(
    found: Option<(&'static ServiceModel, Protocol)>,
    guessed: Protocol,
    request_id: &str,
    refused: &Refused,
) -> Failure {
    Failure {
        codec: codec(found.map_or(guessed, |(_, protocol)| protocol)),
        model: found.map(|(model, _)| model),
        request_id: request_id.to_owned(),
        error: match found {
            Some((model, _)) => render::refused(model, refused),
            None => render::refused_form(refused),
        },
    }
}

fn fail(failure: &Failure) -> RawResponse {
    let Failure {
        codec,
        model,
        request_id,
        error,
    } = failure;
    let response = codec
        .encode_error(*model, error, request_id)
        .unwrap_or_else(|unsayable| {
            tracing::error!(%error, %unsayable, "an error could not be written");
            HttpResponse {
                status: 500,
                headers: http::HeaderMap::new(),
                body: Vec::new(),
            }
        });
    respond(response, *model, request_id)
}

fn respond(answer: HttpResponse, model: Option<&ServiceModel>, request_id: &str) -> RawResponse {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)).into());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    if let Ok(value) = HeaderValue::from_str(request_id) {
        let headers = response.headers_mut();
        if model.is_some_and(|model| model.bare_errors) {
            headers.insert("x-amz-request-id", value.clone());
        }
        headers.insert("x-amzn-requestid", value);
    }
    response
}

/// An answer whose members go before its events.
fn respond_with_events(
    mut answer: HttpResponse,
    framer: Framer,
    stream: &EventStream,
    model: &ServiceModel,
    request_id: &str,
) -> RawResponse {
    let body = std::mem::take(&mut answer.body);
    let content_type = HeaderValue::from_static(events::CONTENT_TYPE);
    answer.headers.insert(http::header::CONTENT_TYPE, content_type);
    let mut response = respond(answer, Some(model), request_id);
    *response.body_mut() = Body::Events(Box::new(Events {
        initial: framer.initial(&body).map(Bytes::from),
        framer,
        source: stream.take(),
    }));
    response
}

fn plain(status: StatusCode, content_type: &'static str, text: String) -> RawResponse {
    let mut response = Response::new(Full::new(Bytes::from(text)).into());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, content_type);
    response
}
