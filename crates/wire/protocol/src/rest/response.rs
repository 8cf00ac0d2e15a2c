//! A response's members, put where the tables want them.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Style, header};
use crate::codec::{EncodeError, HttpResponse};
use crate::error::ApiError;
use crate::json;
use crate::model::{Kind, Location, Member, Namespace, Operation, ServiceModel, ShapeId};
use crate::query;
use crate::value::{Fields, Value};
use crate::xml::{self, Writer};

impl Style {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }
}

/// Writes a response.
///
/// # Errors
/// A member cannot stand where the tables put it, such as a header with a line break.
pub fn encode(
    style: Style,
    model: &ServiceModel,
    operation: &Operation,
    output: Value,
) -> Result<HttpResponse, EncodeError> {
    let mut response = HttpResponse::new(if operation.status == 0 {
        200
    } else {
        operation.status
    });
    let (Some(shape), Value::Map(fields)) = (operation.output, output) else {
        if style == Style::Json {
            response.content(style.content_type(), b"{}".to_vec());
        }
        return Ok(response);
    };
    let Kind::Structure { members, payload, .. } = &model.shape(shape).kind else {
        return Ok(response);
    };
    let body = place(model, members, fields, &mut response)?;
    match payload.and_then(|name| members.iter().find(|member| member.name == name)) {
        Some(member) => write_payload(style, model, member, body, &mut response),
        None => {
            if style == Style::Json || members.iter().any(in_body) {
                let bytes = match style {
                    Style::Json => json::to_json(model, shape, Value::Map(body))
                        .to_string()
                        .into_bytes(),
                    Style::Xml => write_root(model, operation, shape, body),
                };
                response.content(style.content_type(), bytes);
            }
        }
    }
    Ok(response)
}

fn in_body(member: &Member) -> bool {
    matches!(
        member.location,
        Location::Body | Location::Uri | Location::QueryString
    )
}

/// Puts what is not body into status and headers, and gives back the body's members.
fn place(
    model: &ServiceModel,
    members: &[Member],
    fields: Fields,
    response: &mut HttpResponse,
) -> Result<Fields, EncodeError> {
    let mut body = Fields::new();
    for (name, value) in fields {
        let Some(member) = members.iter().find(|member| member.name == name) else {
            continue;
        };
        match (member.location, &value) {
            (Location::StatusCode, Value::Int(status)) => {
                response.status = u16::try_from(*status).map_err(|_| EncodeError::Status(*status))?;
            }
            (Location::Header, value) => {
                if let Some(text) = header::write(model, member, value) {
                    insert(&mut response.headers, member.wire_name(), &text)?;
                }
            }
            (Location::Headers, Value::Map(entries)) => {
                for (key, value) in entries {
                    if let Value::Str(text) = value {
                        insert(&mut response.headers, &format!("{}{key}", member.wire), text)?;
                    }
                }
            }
            // A response has no path and no query string: what is at home there in requests is body.
            (Location::Body | Location::Uri | Location::QueryString, _) => body.push((name, value)),
            // No other type fits the other places.
            _ => {}
        }
    }
    Ok(body)
}

fn insert(headers: &mut HeaderMap, name: &str, text: &str) -> Result<(), EncodeError> {
    let wrong = || EncodeError::Header(name.to_owned());
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    headers.insert(
        key,
        HeaderValue::from_bytes(text.as_bytes()).map_err(|_| wrong())?,
    );
    Ok(())
}

fn write_payload(
    style: Style,
    model: &ServiceModel,
    member: &Member,
    body: Fields,
    response: &mut HttpResponse,
) {
    let Some((_, value)) = body.into_iter().find(|(name, _)| name == member.name) else {
        return;
    };
    match value {
        Value::Blob(bytes) => response.content("application/octet-stream", bytes),
        Value::Str(text) => response.content("text/plain", text.into_bytes()),
        value if style == Style::Json => {
            let json = json::to_json(model, member.shape, value);
            response.content(style.content_type(), json.to_string().into_bytes());
        }
        value => {
            let shape = model.shape(member.shape);
            let mut xml = Writer::document();
            let names = [shape.wire, member.wire, shape.name];
            let name = names
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_default();
            xml::write_value(&mut xml, model, member, name, value);
            response.content(style.content_type(), xml.finish());
        }
    }
}

fn write_root(model: &ServiceModel, operation: &Operation, shape: ShapeId, body: Fields) -> Vec<u8> {
    let table = model.shape(shape);
    let names = [operation.output_wire, table.wire, table.name];
    let name = names
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let namespace = if table.namespace == Namespace::NONE {
        Namespace {
            uri: model.xml_namespace,
            prefix: "",
        }
    } else {
        table.namespace
    };
    let root = Member {
        shape,
        namespace,
        ..Member::BASE
    };
    let mut xml = Writer::document();
    xml::write_value(&mut xml, model, &root, name, Value::Map(body));
    xml.finish()
}

/// Writes an error: its members at home in headers there, the others in the body.
///
/// # Errors
/// As [`encode`].
pub fn encode_error(
    style: Style,
    model: Option<&ServiceModel>,
    error: &ApiError,
    request_id: &str,
) -> Result<HttpResponse, EncodeError> {
    let mut response = HttpResponse::new(error.status);
    let shape = model.and_then(|model| Some((model, model.error_shape(&error.code)?)));
    let mut error = error.clone();
    if let Some((model, shape)) = shape
        && let Kind::Structure { members, .. } = &shape.kind
    {
        let known = |name: &str| members.iter().any(|member| member.name == name);
        let (documented, other) = error.members.into_iter().partition(|(name, _)| known(name));
        error.members = place(model, members, documented, &mut response)?;
        error.members.extend::<Fields>(other);
    }
    match style {
        Style::Json => {
            insert(
                &mut response.headers,
                "x-amzn-errortype",
                json::error_type(model, &error),
            )?;
            let body = json::error_members(model, &error, |_| true);
            let body = serde_json::Value::Object(body).to_string().into_bytes();
            response.content(style.content_type(), body);
        }
        Style::Xml => {
            let body = if model.is_some_and(|model| model.bare_errors) {
                bare_error(model, &error, request_id)
            } else {
                query::encode_error(model, &error, request_id)
            };
            response.content(style.content_type(), body);
        }
    }
    Ok(response)
}

fn bare_error(model: Option<&ServiceModel>, error: &ApiError, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::document();
    xml.open("Error", &[]);
    xml.leaf("Code", query::error_code(model, error));
    xml.leaf("Message", &error.message);
    xml::write_error_members(&mut xml, model, error);
    xml.leaf("RequestId", request_id);
    xml.close("Error");
    xml.finish()
}
