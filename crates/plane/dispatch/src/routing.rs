//! Which protocol, service and operation a request means. From its head where the protocol says it there;
//! the query protocols say it in the body.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method};
use roadstead_protocol::{
    ApiError, Handler, HttpRequest, Kind, Operation, Protocol, ServiceModel, Value, cbor, ec2, form,
};

use crate::dispatcher::Dispatcher;
use crate::render;

/// What a request asks for.
pub(crate) struct Wanted {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) protocol: Protocol,
    pub(crate) operation: &'static Operation,
}

/// Why it asks for nothing that is here, and the service that says so, if one was found.
pub(crate) struct Lost {
    pub(crate) found: Option<(Arc<dyn Handler>, Protocol)>,
    pub(crate) error: ApiError,
}

impl From<ApiError> for Lost {
    fn from(error: ApiError) -> Self {
        Self { found: None, error }
    }
}

fn text<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts
        .headers
        .get(name)
        .and_then(|value: &HeaderValue| value.to_str().ok())
        .unwrap_or_default()
}

/// The protocol by what a request's head shows, to answer in kind even when nothing else can be read.
pub(crate) fn guess(parts: &Parts) -> Protocol {
    let content = text(parts, "content-type");
    let asks = |query: &str| query.split('&').any(|pair| pair.starts_with("Action="));
    if text(parts, "smithy-protocol") == "rpc-v2-cbor" {
        Protocol::RpcV2Cbor
    } else if content.starts_with("application/x-amz-json-1.0") {
        Protocol::Json10
    } else if parts.headers.contains_key("x-amz-target") || content.starts_with("application/x-amz-json-1.1")
    {
        Protocol::Json11
    } else if content.starts_with("application/x-www-form-urlencoded")
        || (parts.method == Method::GET && parts.uri.query().is_some_and(asks))
    {
        Protocol::Ec2
    } else {
        Protocol::Json11
    }
}

pub(crate) fn is_form(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Ec2 | Protocol::Query)
}

impl Dispatcher {
    /// From the head alone. `Ok(None)` for a form, whose body says the rest. `signed_for` is the service of
    /// the signature's scope, which is all that tells one REST service from another.
    pub(crate) fn wanted_by_head(
        &self,
        parts: &Parts,
        guessed: Protocol,
        signed_for: Option<&str>,
    ) -> Result<Option<Wanted>, Lost> {
        if parts.headers.contains_key("x-amz-target") {
            return self.by_target(parts, guessed).map(Some);
        }
        match guessed {
            Protocol::RpcV2Cbor => self.by_cbor_path(parts).map(Some),
            guessed if is_form(guessed) => Ok(None),
            _ => self.by_path(parts, signed_for).map(Some),
        }
    }

    fn by_target(&self, parts: &Parts, guessed: Protocol) -> Result<Wanted, Lost> {
        let target = text(parts, "x-amz-target");
        let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
        let handler = self.handler(|model| model.target_prefix == prefix && !prefix.is_empty());
        let handler = handler.ok_or_else(|| {
            let shown: String = target.chars().take(128).collect();
            ApiError::client(
                "UnknownOperationException",
                format!("No service here answers to the target {shown}."),
            )
        })?;
        operation_of(handler, guessed, name)
    }

    fn by_cbor_path(&self, parts: &Parts) -> Result<Wanted, Lost> {
        let path = parts.uri.path();
        let found = cbor::route(path).filter(|_| parts.method == Method::POST);
        let found = found.and_then(|(service, name)| {
            let speaks =
                |model: &ServiceModel| model.speaks(Protocol::RpcV2Cbor) && model.target_prefix == service;
            Some((self.handler(speaks)?, name))
        });
        match found {
            Some((handler, name)) => operation_of(handler, Protocol::RpcV2Cbor, name),
            None => Err(nothing_there(parts).into()),
        }
    }

    fn by_path(&self, parts: &Parts, signed_for: Option<&str>) -> Result<Wanted, Lost> {
        let found = signed_for.and_then(|service| self.rest(service));
        let Some((handler, router, protocol)) = found else {
            return Err(nothing_there(parts).into());
        };
        let query = parts.uri.query().unwrap_or_default();
        match router.find(&parts.method, parts.uri.path(), query, &parts.headers) {
            Some(operation) => Ok(Wanted {
                handler,
                protocol,
                operation,
            }),
            None => Err(Lost {
                error: match router.absent(&parts.method, parts.uri.path(), query) {
                    Some(name) => render::no_such_operation(handler.model(), name),
                    None => nothing_there(parts),
                },
                found: Some((handler, protocol)),
            }),
        }
    }

    /// The service that a form is for, as far as its signature says so.
    pub(crate) fn form_service(&self, signed_for: Option<&str>) -> Option<(&'static ServiceModel, Protocol)> {
        let spoken = |model: &ServiceModel| {
            let mut forms = [Protocol::Ec2, Protocol::Query].into_iter();
            forms.find(|protocol| model.speaks(*protocol))
        };
        let handler =
            self.handler(|model| spoken(model).is_some() && Some(model.signing_name) == signed_for)?;
        Some((handler.model(), spoken(handler.model())?))
    }

    /// From a form: its version, which services do not share, and its action.
    pub(crate) fn wanted_by_form(
        &self,
        request: &HttpRequest<'_>,
        signed_for: Option<&str>,
    ) -> Result<Wanted, Lost> {
        let form = form(request).map_err(|error| match error {
            ec2::FormError::NoAction => ApiError::client("MissingAction", error.to_string()),
            ec2::FormError::Syntax(_) => ApiError::client("MalformedQueryString", error.to_string()),
        })?;
        let version = form.version.unwrap_or_default();
        let speaks = |model: &ServiceModel| {
            model.api_version == version && (model.speaks(Protocol::Ec2) || model.speaks(Protocol::Query))
        };
        let handler = self
            .handler(|model| speaks(model) && Some(model.signing_name) == signed_for)
            .or_else(|| self.handler(speaks))
            .ok_or_else(|| {
                let shown: String = version.chars().take(32).collect();
                ApiError::client(
                    "NoSuchVersion",
                    format!("No service here has a query API of version {shown:?}."),
                )
            })?;
        let protocol = if handler.model().speaks(Protocol::Ec2) {
            Protocol::Ec2
        } else {
            Protocol::Query
        };
        operation_of(handler, protocol, &form.action)
    }
}

fn operation_of(handler: Arc<dyn Handler>, protocol: Protocol, name: &str) -> Result<Wanted, Lost> {
    let model = handler.model();
    match model.operation(name) {
        Some(operation) => Ok(Wanted {
            handler,
            protocol,
            operation,
        }),
        None => Err(Lost {
            error: render::no_such_operation(model, name),
            found: Some((handler, protocol)),
        }),
    }
}

/// Requests in a form may be sent to the URL of a queue, which then goes without saying in them.
pub(crate) fn fill_queue_url(model: &ServiceModel, operation: &Operation, path: &str, input: &mut Value) {
    const QUEUE_URL: &str = "QueueUrl";
    let takes = operation
        .input
        .is_some_and(|shape| match &model.shape(shape).kind {
            Kind::Structure { members, .. } => members.iter().any(|member| member.name == QUEUE_URL),
            _ => false,
        });
    if let Value::Map(fields) = input
        && takes
        && path != "/"
        && !fields.iter().any(|(name, _)| name == QUEUE_URL)
    {
        fields.push((QUEUE_URL.into(), Value::Str(path.to_owned())));
    }
}

fn nothing_there(parts: &Parts) -> ApiError {
    let path: String = parts.uri.path().chars().take(256).collect();
    ApiError::new(
        "UnknownOperationException",
        404,
        format!("No service here answers to {} {path}.", parts.method),
    )
}
