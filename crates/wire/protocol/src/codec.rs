//! One face for all protocols, so that what routes requests knows none of them: a request becomes a value, a
//! value or an error becomes a response.

use http::{HeaderMap, HeaderValue, Method};

use crate::check::Violation;
use crate::error::{ApiError, Fault};
use crate::model::{Operation, Protocol, ServiceModel};
use crate::rest::{self, Style};
use crate::value::Value;
use crate::{cbor, ec2, json, query};

/// A request, as far as a protocol looks at it.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    pub method: &'a Method,
    /// As sent, still percent-encoded.
    pub path: &'a str,
    /// Without the `?`, as sent.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// A response, `Content-Type` included, transport headers not.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl HttpResponse {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    /// A body and its type, unless a member of the output already said the type.
    pub(crate) fn content(&mut self, content_type: &'static str, body: Vec<u8>) {
        self.headers
            .entry(http::header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(content_type));
        self.body = body;
    }
}

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("the {what} cannot be read: {reason}")]
    Syntax { what: &'static str, reason: String },
    #[error(transparent)]
    Violation(#[from] Violation),
}

impl RequestError {
    pub(crate) fn syntax(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Syntax {
            what,
            reason: reason.into(),
        }
    }
}

impl From<json::BodyError> for RequestError {
    fn from(error: json::BodyError) -> Self {
        match error {
            json::BodyError::Syntax(reason) => Self::syntax("JSON body", reason),
            json::BodyError::Violation(violation) => Self::Violation(violation),
        }
    }
}

impl From<cbor::BodyError> for RequestError {
    fn from(error: cbor::BodyError) -> Self {
        match error {
            cbor::BodyError::Syntax(error) => Self::syntax("CBOR body", error.to_string()),
            cbor::BodyError::Violation(violation) => Self::Violation(violation),
        }
    }
}

impl From<ec2::FormError> for RequestError {
    fn from(error: ec2::FormError) -> Self {
        Self::syntax("form", error.to_string())
    }
}

/// A service's output that its protocol cannot carry: a fault of the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the member for the header {0} has characters that no header can carry")]
    Header(String),
    #[error("the event {0} is none of the stream's, or the protocol cannot carry it")]
    Event(String),
    #[error("{0} is no HTTP status")]
    Status(i64),
}

/// A protocol, as servers see it.
pub trait Codec: Send + Sync + std::fmt::Debug {
    /// # Errors
    /// The request is not of the protocol, or a member is unknown or of another type. Constraints are
    /// [`crate::check`]'s.
    fn decode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        request: &HttpRequest<'_>,
    ) -> Result<Value, RequestError>;

    /// # Errors
    /// The output cannot be carried.
    fn encode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        output: Value,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError>;

    /// An error, also one from before a service was found.
    ///
    /// # Errors
    /// A member of the error cannot be carried.
    fn encode_error(
        &self,
        model: Option<&ServiceModel>,
        error: &ApiError,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError>;
}

/// The codec of a protocol.
pub fn codec(protocol: Protocol) -> &'static dyn Codec {
    match protocol {
        Protocol::Json10 => &Json("application/x-amz-json-1.0"),
        Protocol::Json11 => &Json("application/x-amz-json-1.1"),
        Protocol::Query => &Query,
        Protocol::Ec2 => &Ec2,
        Protocol::RestJson => &Rest(Style::Json),
        Protocol::RestXml => &Rest(Style::Xml),
        Protocol::RpcV2Cbor => &Cbor,
    }
}

/// What clients of services that once spoke the query protocol know an error by.
fn query_error(response: &mut HttpResponse, model: Option<&ServiceModel>, error: &ApiError) {
    let Some(model) = model.filter(|model| model.query_compatible) else {
        return;
    };
    let fault = match error.fault() {
        Fault::Client => "Sender",
        Fault::Server => "Receiver",
    };
    let text = format!("{};{fault}", query::error_code(Some(model), error));
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers.insert("x-amzn-query-error", value);
    }
}

#[derive(Debug)]
struct Json(&'static str);

impl Codec for Json {
    fn decode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        request: &HttpRequest<'_>,
    ) -> Result<Value, RequestError> {
        Ok(json::decode(model, operation.input, request.body)?)
    }

    fn encode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        output: Value,
        _request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = HttpResponse::new(200);
        response.content(self.0, json::encode(model, operation.output, output));
        Ok(response)
    }

    fn encode_error(
        &self,
        model: Option<&ServiceModel>,
        error: &ApiError,
        _request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = HttpResponse::new(error.status);
        response.content(self.0, json::encode_error(model, error));
        query_error(&mut response, model, error);
        Ok(response)
    }
}

/// The form of a request: the body of a POST, the query string of a GET.
///
/// # Errors
/// It is no form or names no action.
pub fn form(request: &HttpRequest<'_>) -> Result<ec2::Form, ec2::FormError> {
    if request.method == Method::GET {
        ec2::Form::parse(request.query.as_bytes())
    } else {
        ec2::Form::parse(request.body)
    }
}

const XML: &str = "text/xml;charset=UTF-8";

#[derive(Debug)]
struct Query;

impl Codec for Query {
    fn decode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        request: &HttpRequest<'_>,
    ) -> Result<Value, RequestError> {
        Ok(query::decode(form(request)?, model, operation.input)?)
    }

    fn encode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        output: Value,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = HttpResponse::new(200);
        response.content(XML, query::encode(model, operation, output, request_id));
        Ok(response)
    }

    fn encode_error(
        &self,
        model: Option<&ServiceModel>,
        error: &ApiError,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = HttpResponse::new(error.status);
        response.content(XML, query::encode_error(model, error, request_id));
        Ok(response)
    }
}

#[derive(Debug)]
struct Ec2;

impl Codec for Ec2 {
    fn decode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        request: &HttpRequest<'_>,
    ) -> Result<Value, RequestError> {
        Ok(form(request)?.decode(model, operation.input)?)
    }

    fn encode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        output: Value,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = HttpResponse::new(200);
        response.content(XML, ec2::encode(model, operation, output, request_id));
        Ok(response)
    }

    fn encode_error(
        &self,
        model: Option<&ServiceModel>,
        error: &ApiError,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = HttpResponse::new(error.status);
        response.content(XML, ec2::encode_error(model, error, request_id));
        Ok(response)
    }
}

#[derive(Debug)]
struct Rest(Style);

impl Codec for Rest {
    fn decode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        request: &HttpRequest<'_>,
    ) -> Result<Value, RequestError> {
        rest::decode(self.0, model, operation, request)
    }

    fn encode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        output: Value,
        _request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        rest::encode(self.0, model, operation, output)
    }

    fn encode_error(
        &self,
        model: Option<&ServiceModel>,
        error: &ApiError,
        request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        rest::encode_error(self.0, model, error, request_id)
    }
}

#[derive(Debug)]
struct Cbor;

impl Cbor {
    fn response(status: u16, body: Vec<u8>) -> HttpResponse {
        let mut response = HttpResponse::new(status);
        let protocol = HeaderValue::from_static("rpc-v2-cbor");
        response.headers.insert("smithy-protocol", protocol);
        if !body.is_empty() {
            response.content("application/cbor", body);
        }
        response
    }
}

impl Codec for Cbor {
    fn decode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        request: &HttpRequest<'_>,
    ) -> Result<Value, RequestError> {
        Ok(cbor::decode(model, operation.input, request.body)?)
    }

    fn encode(
        &self,
        model: &ServiceModel,
        operation: &Operation,
        output: Value,
        _request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        Ok(Self::response(200, cbor::encode(model, operation.output, output)))
    }

    fn encode_error(
        &self,
        model: Option<&ServiceModel>,
        error: &ApiError,
        _request_id: &str,
    ) -> Result<HttpResponse, EncodeError> {
        let mut response = Self::response(error.status, cbor::encode_error(model, error));
        query_error(&mut response, model, error);
        Ok(response)
    }
}
