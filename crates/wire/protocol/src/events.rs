//! Event streams: answers that go on for as long as something happens, in frames of `application/vnd.amazon.eventstream`.
//! Driven by the model's `eventstream` trait; services send events by their names, each protocol fills the frames.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::checksum::crc::crc32;
use crate::codec::EncodeError;
use crate::error::ApiError;
use crate::model::{Kind, Member, Operation, Protocol, ServiceModel, Shape, ShapeId};
use crate::value::{Fields, Value};
use crate::wire::{DecodeError, Wire};
use crate::{cbor, json};

/// What an answer with events has for its content type.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// One event: the member of the stream's shape, and its structure.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: &'static str,
    pub value: Value,
}

impl Event {
    pub fn new(name: &'static str, value: impl Wire) -> Self {
        Self {
            name,
            value: value.into_value(),
        }
    }
}

/// Asks for the next event; an error ends the stream, as one of its exceptions if the model has it among them.
pub type PollEvent = dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<Event, ApiError>>> + Send;

/// Events to come, which one taker gets.
#[derive(Clone)]
pub struct EventStream(Arc<Mutex<Option<Box<PollEvent>>>>);

impl EventStream {
    pub fn new(
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Event, ApiError>>> + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(poll)))))
    }

    /// None, if somebody took them.
    pub fn take(&self) -> Option<Box<PollEvent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Default for EventStream {
    /// Of no events.
    fn default() -> Self {
        Self::new(|_| Poll::Ready(None))
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}

impl PartialEq for EventStream {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Wire for EventStream {
    fn into_value(self) -> Value {
        Value::Events(self)
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        match value {
            Value::Events(stream) => Ok(stream),
            other => Err(DecodeError::new("event stream", other.kind())),
        }
    }
}

/// Takes the stream out of an operation's output, if the model has one there, with the shape of its events.
pub fn split(
    model: &ServiceModel,
    operation: &Operation,
    output: &mut Value,
) -> Option<(ShapeId, EventStream)> {
    let shape = model.shape(operation.output?);
    let Kind::Structure { members, .. } = &shape.kind else {
        return None;
    };
    let member = members
        .iter()
        .find(|member| model.shape(member.shape).event_stream)?;
    let Value::Map(fields) = output else {
        return None;
    };
    let at = fields.iter().position(|(name, _)| name == member.name)?;
    match fields.remove(at).1 {
        Value::Events(stream) => Some((member.shape, stream)),
        _ => None,
    }
}

/// Makes frames of the events of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    model: &'static ServiceModel,
    /// Of the stream.
    shape: ShapeId,
    protocol: Protocol,
}

impl Framer {
    pub fn new(model: &'static ServiceModel, shape: ShapeId, protocol: Protocol) -> Self {
        Self {
            model,
            shape,
            protocol,
        }
    }

    /// What the protocols without a place for it elsewhere send first: the output's other members, as they were
    /// encoded. None where they stand in headers.
    pub fn initial(&self, body: &[u8]) -> Option<Vec<u8>> {
        let content = match self.protocol {
            Protocol::Json10 | Protocol::Json11 => "application/json",
            Protocol::RpcV2Cbor => "application/cbor",
            Protocol::Query | Protocol::Ec2 | Protocol::RestJson | Protocol::RestXml => return None,
        };
        let headers = [
            (":message-type", text("event")),
            (":event-type", text("initial-response")),
            (":content-type", text(content)),
        ];
        Some(frame(&headers, body))
    }

    fn member(&self, name: &str) -> Option<&'static Member> {
        match &self.model.shape(self.shape).kind {
            Kind::Structure { members, .. } => members.iter().find(|member| member.name == name),
            _ => None,
        }
    }

    /// # Errors
    /// The model has no such event, or the protocol cannot carry it.
    pub fn event(&self, event: Event) -> Result<Vec<u8>, EncodeError> {
        let unknown = || EncodeError::Event(event.name.to_owned());
        let member = self.member(event.name).ok_or_else(unknown)?;
        let shape = self.model.shape(member.shape);
        let mut headers = vec![
            (":message-type", text("event")),
            (":event-type", text(event.name)),
        ];
        let Value::Map(fields) = event.value else {
            return Err(unknown());
        };
        let (content, payload) = self.contents(member.shape, shape, fields, &mut headers)?;
        headers.push((":content-type", text(content)));
        Ok(frame(&headers, &payload))
    }

    fn contents(
        &self,
        id: ShapeId,
        shape: &'static Shape,
        fields: Fields,
        headers: &mut Vec<(&'static str, Vec<u8>)>,
    ) -> Result<(&'static str, Vec<u8>), EncodeError> {
        let Kind::Structure { members, .. } = &shape.kind else {
            return Err(EncodeError::Event(shape.name.to_owned()));
        };
        let (mut rest, mut payload) = (Fields::new(), None);
        for (name, value) in fields {
            let member = members.iter().find(|member| member.name == name);
            match member {
                Some(member) if member.event_header => headers.push((member.wire_name(), header(&value)?)),
                Some(member) if member.event_payload => payload = Some((member.shape, value)),
                _ => rest.push((name, value)),
            }
        }
        match payload {
            Some((_, Value::Blob(bytes))) => Ok(("application/octet-stream", bytes)),
            Some((_, Value::Str(line))) => Ok(("text/plain", line.into_bytes())),
            Some((shape, value)) => self.encoded(shape, value),
            // A payload that is left out is empty.
            None if members.iter().any(|member| member.event_payload) => {
                Ok(("application/octet-stream", Vec::new()))
            }
            None => self.encoded(id, Value::Map(rest)),
        }
    }

    fn encoded(&self, shape: ShapeId, value: Value) -> Result<(&'static str, Vec<u8>), EncodeError> {
        match self.protocol {
            Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
                Ok(("application/json", json::encode(self.model, Some(shape), value)))
            }
            Protocol::RpcV2Cbor => Ok(("application/cbor", cbor::encode(self.model, Some(shape), value))),
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml => {
                Err(EncodeError::Event(self.model.shape(shape).name.to_owned()))
            }
        }
    }

    /// The end of a stream by an error: an exception of the stream's own, or an error without a shape.
    pub fn error(&self, error: &ApiError) -> Vec<u8> {
        if self.member(&error.code).is_none() {
            let headers = [
                (":message-type", text("error")),
                (":error-code", text(&error.code)),
                (":error-message", text(&error.message)),
            ];
            return frame(&headers, &[]);
        }
        let (content, payload) = match self.protocol {
            Protocol::RpcV2Cbor => ("application/cbor", cbor::encode_error(Some(self.model), error)),
            _ => ("application/json", json::encode_error(Some(self.model), error)),
        };
        let headers = [
            (":message-type", text("exception")),
            (":exception-type", text(&error.code)),
            (":content-type", text(content)),
        ];
        frame(&headers, &payload)
    }
}

/// A header's type and value.
fn text(value: &str) -> Vec<u8> {
    sized(7, value.as_bytes())
}

fn sized(kind: u8, bytes: &[u8]) -> Vec<u8> {
    // Longer ones do not fit into a frame.
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX >> 1))];
    let mut out = vec![kind];
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
    out
}

fn header(value: &Value) -> Result<Vec<u8>, EncodeError> {
    let number = |kind: u8, number: i64| {
        let mut out = vec![kind];
        out.extend(number.to_be_bytes());
        out
    };
    Ok(match value {
        Value::Bool(flag) => vec![u8::from(!flag)],
        Value::Int(value) => match i32::try_from(*value) {
            Ok(value) => [&[4][..], &value.to_be_bytes()].concat(),
            Err(_) => number(5, *value),
        },
        Value::Blob(bytes) => sized(6, bytes),
        Value::Str(line) => text(line),
        Value::Time(seconds) => number(8, (seconds * 1000.0) as i64),
        other => return Err(EncodeError::Event(other.kind().to_owned())),
    })
}

/// Lengths, headers, payload and the two checksums.
fn frame(headers: &[(&str, Vec<u8>)], payload: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (name, value) in headers {
        packed.push(name.len() as u8);
        packed.extend(name.as_bytes());
        packed.extend(value);
    }
    let total = 16 + packed.len() + payload.len();
    let mut out = Vec::with_capacity(total);
    out.extend((total as u32).to_be_bytes());
    out.extend((packed.len() as u32).to_be_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out.extend(packed);
    out.extend(payload);
    out.extend(crc32(&out).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The empty message and the one with a payload of the format's published test vectors.
    #[test]
    fn frames_are_as_the_published_vectors() {
        let empty = [
            0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
        ];
        assert_eq!(frame(&[], &[]), empty);
        let payload = frame(&[], b"{'foo':'bar'}");
        assert_eq!(payload[..12], [0, 0, 0, 29, 0, 0, 0, 0, 0xfd, 0x52, 0x8c, 0x5a]);
        assert_eq!(payload[25..], [0xc3, 0x65, 0x39, 0x36]);
    }

    #[test]
    fn headers_have_their_types() {
        for (value, wanted) in [
            (Value::Bool(true), vec![0]),
            (Value::Bool(false), vec![1]),
            (Value::Int(7), vec![4, 0, 0, 0, 7]),
            (Value::Int(1 << 40), vec![5, 0, 0, 1, 0, 0, 0, 0, 0]),
            (Value::Blob(vec![9]), vec![6, 0, 1, 9]),
            (Value::Str("a".into()), vec![7, 0, 1, b'a']),
            (Value::Time(1.0), vec![8, 0, 0, 0, 0, 0, 0, 3, 232]),
        ] {
            assert_eq!(header(&value).expect("a header"), wanted, "{value:?}");
        }
        assert!(header(&Value::List(Vec::new())).is_err());
    }
}
