//! Whole requests of any protocol: for REST, members where the model puts them. And whether an answer is in the
//! service's form.

use roadstead_protocol::{Kind, Location, Member, Operation, Protocol, ServiceModel, cbor};
use serde_json::{Map, Value as Json};

use crate::bodies::{json, rpc, scalar, xml};
use crate::values::{Carrier, Values};

pub(crate) struct Sender {
    pub(crate) model: &'static ServiceModel,
    pub(crate) protocol: Protocol,
}

impl Sender {
    fn rest(&self) -> bool {
        matches!(self.protocol, Protocol::RestJson | Protocol::RestXml)
    }

    fn values(&self, carrier: Carrier) -> Values {
        Values {
            model: self.model,
            carrier,
        }
    }

    /// What carries the body's members.
    fn body_carrier(&self) -> Carrier {
        match self.protocol {
            Protocol::Query | Protocol::Ec2 | Protocol::RestXml => Carrier::Text,
            _ => Carrier::Typed,
        }
    }

    fn carrier(&self, member: &Member) -> Carrier {
        if self.rest() && member.location != Location::Body {
            Carrier::Text
        } else {
            self.body_carrier()
        }
    }

    fn members(&self, operation: &Operation) -> (&'static [Member], Option<&'static str>) {
        let shape = operation.input.map(|shape| &self.model.shape(shape).kind);
        match shape {
            Some(Kind::Structure { members, payload, .. }) => (members, payload.filter(|_| self.rest())),
            _ => (&[], None),
        }
    }

    pub(crate) fn good(&self, operation: &Operation) -> Json {
        if !self.rest() {
            return operation.input.map_or_else(
                || Map::new().into(),
                |shape| self.values(self.body_carrier()).good(shape),
            );
        }
        let (members, _) = self.members(operation);
        members
            .iter()
            .filter(|member| member.required)
            .map(|member| {
                let value = if member.json_value && self.carrier(member) == Carrier::Text {
                    "e30=".into()
                } else {
                    self.values(self.carrier(member)).good(member.shape)
                };
                (member.name.to_owned(), value)
            })
            .collect::<Map<_, _>>()
            .into()
    }

    pub(crate) fn bad(&self, operation: &Operation) -> Vec<(String, Json)> {
        let Some(shape) = operation.input else {
            return Vec::new();
        };
        if !self.rest() {
            let outermost = |(what, _): &(String, Json)| !what.starts_with("the type of");
            let all = self.values(self.body_carrier()).bad(shape, &[]);
            return all.into_iter().filter(outermost).collect();
        }
        let (members, payload) = self.members(operation);
        let base = self.good(operation);
        let mut out = Vec::new();
        for member in members {
            if member.required && member.location != Location::Uri {
                let mut whole = base.clone();
                whole.as_object_mut().map(|whole| whole.remove(member.name));
                out.push((format!("{} missing", member.name), whole));
            }
            let carrier = self.carrier(member);
            for (what, value) in self.values(carrier).bad(member.shape, &[shape]) {
                if self.fits(member, payload, &value) {
                    let mut whole = base.clone();
                    whole[member.name] = value;
                    out.push((format!("{}: {what}", member.name), whole));
                }
            }
        }
        let everything = members.iter().any(|member| {
            let kind = &self.model.shape(member.shape).kind;
            member.location == Location::QueryString && matches!(kind, Kind::Map { .. })
        });
        let in_body = members.iter().any(|member| member.location == Location::Body) && payload.is_none();
        if in_body || !everything {
            let mut whole = base;
            whole["NoSuchMember"] = "x".into();
            out.push(("an unknown member".to_owned(), whole));
        }
        out
    }

    /// Whether the member's place can carry the value so that it is wrong there too.
    fn fits(&self, member: &Member, payload: Option<&str>, value: &Json) -> bool {
        let kind = &self.model.shape(member.shape).kind;
        let list = matches!(kind, Kind::List { .. });
        let header = |value: &Json| {
            let text = scalar(value);
            let plain = text
                .bytes()
                .all(|byte| (0x21..0x7f).contains(&byte) && byte != b',');
            !value.is_object() && !value.is_array() && !text.is_empty() && plain && !member.json_value
        };
        let flat = |value: &Json| !value.is_object() && !value.is_array();
        match member.location {
            // Without it, it is another path.
            Location::Uri => flat(value) && value.as_str() != Some(""),
            Location::Header if list => value
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(header)),
            Location::Header => header(value),
            Location::Headers => value.as_object().is_some_and(|all| {
                !all.is_empty()
                    && all.values().all(header)
                    && all.keys().all(|key| header(&key.as_str().into()))
            }),
            Location::QueryString if matches!(kind, Kind::Map { .. }) => false,
            Location::QueryString if list => value
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(flat)),
            Location::QueryString => flat(value),
            Location::StatusCode => false,
            Location::Body if payload == Some(member.name) => match kind {
                Kind::Blob { .. } => false,
                Kind::Text { .. } => value.as_str().is_some_and(|text| !text.is_empty()),
                // In XML, an element with a text in it is what JSON has a text for.
                _ => value.is_object() || self.protocol == Protocol::RestJson,
            },
            Location::Body => payload.is_none(),
        }
    }

    pub(crate) fn request(&self, operation: &Operation, input: &Json) -> Vec<u8> {
        let model = self.model;
        let mut headers = Vec::new();
        let (mut method, mut path) = ("POST", "/".to_owned());
        let body;
        match self.protocol {
            Protocol::RestJson | Protocol::RestXml => {
                method = operation.method;
                (path, body) = self.placed(operation, input, &mut headers);
            }
            protocol => {
                body = rpc(model, protocol, operation, input);
                let content = match protocol {
                    Protocol::Json10 => "application/x-amz-json-1.0",
                    Protocol::Json11 => "application/x-amz-json-1.1",
                    Protocol::RpcV2Cbor => "application/cbor",
                    _ => "application/x-www-form-urlencoded",
                };
                headers.push(("Content-Type".to_owned(), content.to_owned()));
                if matches!(protocol, Protocol::Json10 | Protocol::Json11) {
                    let target = format!("{}.{}", model.target_prefix, operation.name);
                    headers.push(("X-Amz-Target".to_owned(), target));
                }
                if protocol == Protocol::RpcV2Cbor {
                    headers.push(("smithy-protocol".to_owned(), "rpc-v2-cbor".to_owned()));
                    path = format!("/service/{}/operation/{}", model.target_prefix, operation.name);
                }
            }
        }
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Authorization: AWS4-HMAC-SHA256 \
             Credential=AK/20270115/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Length: {}\r\n\r\n",
            model.signing_name,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        request
    }

    /// Path and body of a REST request.
    fn placed(
        &self,
        operation: &Operation,
        input: &Json,
        headers: &mut Vec<(String, String)>,
    ) -> (String, Vec<u8>) {
        let (members, payload) = self.members(operation);
        let (mut path, mut query) = match operation.uri.split_once('?') {
            Some((path, query)) => (path.to_owned(), vec![query.to_owned()]),
            None => (operation.uri.to_owned(), Vec::new()),
        };
        let mut rest = Map::new();
        for (name, value) in input.as_object().into_iter().flatten() {
            let member = members.iter().find(|member| member.name == name);
            let Some(member) = member else {
                rest.insert(name.clone(), value.clone());
                continue;
            };
            let wire = member.wire_name();
            let texts: Vec<String> = match value {
                Json::Array(items) => items.iter().map(scalar).collect(),
                value => vec![scalar(value)],
            };
            match member.location {
                Location::Uri => {
                    for greedy in ["", "+"] {
                        path = path.replace(&format!("{{{wire}{greedy}}}"), &escaped(&texts[0]));
                    }
                }
                Location::QueryString => match value.as_object() {
                    Some(map) => query.extend(map.iter().map(|(key, value)| pair(key, &scalar(value)))),
                    None => query.extend(texts.iter().map(|text| pair(wire, text))),
                },
                Location::Header => headers.push((wire.to_owned(), texts.join(","))),
                Location::Headers => {
                    let map = value.as_object().into_iter().flatten();
                    headers.extend(map.map(|(key, value)| (format!("{}{key}", member.wire), scalar(value))));
                }
                Location::Body | Location::StatusCode => {
                    rest.insert(name.clone(), value.clone());
                }
            }
        }
        let in_body = members.iter().any(|member| member.location == Location::Body);
        if !in_body || payload.is_some() {
            let unknown: Vec<String> = rest
                .keys()
                .filter(|name| payload != Some(name))
                .cloned()
                .collect();
            for name in unknown {
                let value = rest.remove(&name).unwrap_or_default();
                query.push(pair(&name, &scalar(&value)));
            }
        }
        let body = self.body(operation, members, payload, rest);
        let query = query.join("&");
        (
            if query.is_empty() {
                path
            } else {
                format!("{path}?{query}")
            },
            body,
        )
    }

    fn body(
        &self,
        operation: &Operation,
        members: &[Member],
        payload: Option<&str>,
        rest: Map<String, Json>,
    ) -> Vec<u8> {
        let typed = self.protocol == Protocol::RestJson;
        if let Some(name) = payload {
            let Some(value) = rest.get(name) else {
                return Vec::new();
            };
            let member = members.iter().find(|member| member.name == name);
            let member = member.expect("the model has it");
            let shape = self.model.shape(member.shape);
            return match &shape.kind {
                Kind::Blob { .. } | Kind::Text { .. } => scalar(value).into_bytes(),
                _ if typed => json(self.model, Some(member.shape), value)
                    .to_string()
                    .into_bytes(),
                _ => {
                    let names = [member.wire, shape.wire, shape.name];
                    let root = names
                        .into_iter()
                        .find(|name| !name.is_empty())
                        .unwrap_or(member.name);
                    xml(self.model, Some(member.shape), root, value).into_bytes()
                }
            };
        }
        if rest.is_empty() {
            return Vec::new();
        }
        let rest = Json::Object(rest);
        if typed {
            return json(self.model, operation.input, &rest).to_string().into_bytes();
        }
        let root = if operation.input_wire.is_empty() {
            "Input"
        } else {
            operation.input_wire
        };
        xml(self.model, operation.input, root, &rest).into_bytes()
    }

    /// In the service's form: a code, a message, a request id.
    pub(crate) fn well_formed(&self, head: &str, body: &[u8]) -> bool {
        let head = head.to_ascii_lowercase();
        let text = String::from_utf8_lossy(body);
        let said = || serde_json::from_slice::<Json>(body).unwrap_or_default();
        let element = |open: &str| {
            let inner = text.split_once(open);
            inner.is_some_and(|(_, rest)| !rest.starts_with('<'))
        };
        let filled = |value: &Json| value.as_str().is_some_and(|text| !text.is_empty());
        let right = match self.protocol {
            Protocol::Json10 | Protocol::Json11 => filled(&said()["__type"]) && filled(&said()["message"]),
            Protocol::RestJson => head.contains("x-amzn-errortype: ") && filled(&said()["message"]),
            Protocol::Ec2 => {
                text.starts_with("<?xml")
                    && element("<Code>")
                    && element("<Message>")
                    && element("<RequestID>")
            }
            Protocol::Query | Protocol::RestXml => {
                text.starts_with("<?xml")
                    && element("<Code>")
                    && element("<Message>")
                    && element("<RequestId>")
            }
            Protocol::RpcV2Cbor => match cbor::parse(body) {
                Ok(cbor::Item::Map(entries)) => ["__type", "message"].iter().all(|key| {
                    let found = entries.iter().find(|(name, _)| name == key);
                    matches!(found, Some((_, cbor::Item::Text(text))) if !text.is_empty())
                }),
                _ => false,
            },
        };
        right && head.contains("x-amzn-requestid: ")
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn pair(name: &str, value: &str) -> String {
    format!("{}={}", escaped(name), escaped(value))
}
