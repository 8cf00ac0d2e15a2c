//! Everything a model forbids, sent to every operation: members missing, of the wrong type, out of range, too
//! long or short, of the wrong pattern, unknown, and bodies that are too large. The answer is always a 4xx in
//! the service's form, and the handler never hears of it. Derived from the tables, so a new operation is
//! tried as soon as it exists.

mod support;

use std::fmt::Write as _;

use roadstead_dispatch::Trust;
use roadstead_protocol::check::compile;
use roadstead_protocol::{Kind, Location, Member, Operation, ServiceModel, ShapeId};
use serde_json::{Map, Value as Json, json};
use support::{LIMITS, World, world};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Texts that most patterns are made for.
const WORDS: &[&str] = &[
    "a",
    "aa",
    "Aa-1_",
    "0",
    "1",
    "10",
    "10.0.0.0/16",
    "000000000000",
    "arn:aws:ecs:us-east-1:000000000000:cluster/a",
    "vpc-00000000000000000",
    "2026-01-01T00:00:00Z",
];
/// Texts that patterns are made against.
const OUTSIDERS: &[&str] = &["\u{1}", "!", "a b", "\u{e9}\u{4e2d}", ""];

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Json,
    Query,
}

struct Sender {
    model: &'static ServiceModel,
    form: Form,
}

impl Sender {
    fn kind(&self, shape: ShapeId) -> &'static Kind {
        &self.model.shape(shape).kind
    }

    /// A value that its model accepts: required members, the least of everything.
    fn good(&self, shape: ShapeId) -> Json {
        match self.kind(shape) {
            Kind::Structure { members, .. } => {
                let required = members.iter().filter(|member| member.required);
                let mut whole: Map<_, _> = required
                    .map(|member| (member.name.to_owned(), self.good(member.shape)))
                    .collect();
                self.show(members, &mut whole, "");
                whole.into()
            }
            Kind::List { member, min, .. } => {
                // A form cannot carry an empty list.
                let least = min.unwrap_or(0).max(u64::from(self.form == Form::Query));
                (0..least).map(|_| self.good(member.shape)).collect()
            }
            Kind::Map { value, min, .. } => (0..min.unwrap_or(0))
                .map(|n| (format!("k{n}"), self.good(value.shape)))
                .collect::<Map<_, _>>()
                .into(),
            Kind::Text {
                min,
                max,
                pattern,
                values,
            } => {
                if let Some(first) = values.first() {
                    return json!(first);
                }
                let fits = |text: &str| {
                    let length = text.chars().count() as u64;
                    min.is_none_or(|min| length >= min)
                        && max.is_none_or(|max| length <= max)
                        && pattern.is_none_or(|p| compile(p).is_none_or(|regex| regex.is_match(text)))
                };
                let filler = "a".repeat(min.unwrap_or(1) as usize);
                let found = WORDS
                    .iter()
                    .copied()
                    .chain([filler.as_str()])
                    .find(|text| fits(text));
                json!(found.unwrap_or_else(|| panic!("no word fits {pattern:?}")))
            }
            Kind::Blob { .. } => json!("YQ=="),
            Kind::Integer { min, max } | Kind::Long { min, max } => {
                json!(min.unwrap_or(1).max(1).min(max.unwrap_or(i64::MAX)))
            }
            Kind::Double { .. } => json!(1.5),
            Kind::Boolean => json!(true),
            Kind::Timestamp { .. } if self.form == Form::Query => json!("2026-01-01T00:00:00Z"),
            Kind::Timestamp { .. } => json!(1_700_000_000),
        }
    }

    /// Values that its model forbids, each with what is wrong about it. `above` bounds recursive shapes.
    fn bad(&self, shape: ShapeId, above: &[ShapeId]) -> Vec<(String, Json)> {
        let mut out = Vec::new();
        if above.contains(&shape) {
            return out;
        }
        let inside: Vec<ShapeId> = above.iter().copied().chain([shape]).collect();
        let mut wrong = |values: Vec<Json>| {
            for value in values {
                out.push((format!("the type of {value}"), value));
            }
        };
        let json = self.form == Form::Json;
        match self.kind(shape) {
            Kind::Structure { document: true, .. } => {}
            Kind::Structure { members, .. } => {
                if !above.is_empty() {
                    wrong(if json {
                        vec![json!("x"), json!(1), json!([]), json!(true)]
                    } else {
                        vec![json!("x")]
                    });
                }
                let base = self.good(shape);
                for member in *members {
                    if member.required
                        && let Some(without) = self.without(members, &base, member)
                    {
                        out.push((format!("{} missing", member.name), without));
                    }
                    for (what, value) in self.bad(member.shape, &inside) {
                        let mut whole = base.clone();
                        whole[member.name] = value;
                        out.push((format!("{}: {what}", member.name), whole));
                    }
                }
                let mut whole = base;
                whole["NoSuchMember"] = json!("x");
                out.push(("an unknown member".to_owned(), whole));
            }
            Kind::List { member, min, max, .. } => {
                wrong(if json {
                    vec![json!("x"), json!(1), json!({"a": 1})]
                } else {
                    vec![json!("x"), json!({"a": "1"})]
                });
                if json {
                    out.push(("null inside".to_owned(), json!([null])));
                }
                let many = |count: u64| (0..count).map(|_| self.good(member.shape)).collect::<Json>();
                if let Some(min) = min.filter(|min| *min > u64::from(!json)) {
                    out.push(("too few".to_owned(), many(min - 1)));
                }
                if let Some(max) = max.filter(|max| *max < 1000) {
                    out.push(("too many".to_owned(), many(max + 1)));
                }
                for (what, value) in self.bad(member.shape, &inside) {
                    out.push((format!("inside {what}"), json!([value])));
                }
            }
            Kind::Map { value, min, max, .. } => {
                wrong(vec![json!("x"), json!(1), json!(["a"])]);
                let many = |count: u64| -> Json {
                    (0..count)
                        .map(|n| (format!("k{n}"), self.good(value.shape)))
                        .collect::<Map<_, _>>()
                        .into()
                };
                if let Some(min) = min.filter(|min| *min > 0) {
                    out.push(("too few".to_owned(), many(min - 1)));
                }
                if let Some(max) = max.filter(|max| *max < 1000) {
                    out.push(("too many".to_owned(), many(max + 1)));
                }
                for (what, value) in self.bad(value.shape, &inside) {
                    out.push((format!("at k {what}"), json!({ "k": value })));
                }
            }
            Kind::Text {
                min,
                max,
                pattern,
                values,
            } => {
                wrong(if json {
                    vec![json!(1), json!(true), json!({}), json!(["x"])]
                } else {
                    vec![json!({"x": "1"})]
                });
                if !values.is_empty() {
                    out.push(("no such value".to_owned(), json!("no-such-value")));
                }
                if let Some(max) = max.filter(|max| *max < 20_000) {
                    out.push(("too long".to_owned(), json!("a".repeat(max as usize + 1))));
                }
                if let Some(min) = min.filter(|min| *min > 0) {
                    out.push(("too short".to_owned(), json!("a".repeat(min as usize - 1))));
                }
                if let Some(regex) = pattern.and_then(compile) {
                    let outsider = OUTSIDERS.iter().find(|text| !regex.is_match(text));
                    out.extend(outsider.map(|text| ("of another pattern".to_owned(), json!(text))));
                }
            }
            Kind::Blob { .. } => wrong(vec![json!("*"), json!(1)]),
            Kind::Boolean => wrong(if json {
                vec![json!("true"), json!(1)]
            } else {
                vec![json!("maybe"), json!(""), json!("1")]
            }),
            Kind::Timestamp { .. } => wrong(vec![
                json!("yesterday"),
                json!(true),
                json!(1e300),
                json!({"a": "1"}),
            ]),
            Kind::Double { min, max } => {
                wrong(vec![json!("x"), json!(true)]);
                out.extend(min.map(|min| ("too small".to_owned(), json!(min - 1.0))));
                out.extend(max.map(|max| ("too large".to_owned(), json!(max + 1.0))));
            }
            kind @ (Kind::Integer { min, max } | Kind::Long { min, max }) => {
                wrong(vec![
                    json!("x"),
                    json!(1.5),
                    json!(true),
                    json!({"a": "1"}),
                    json!(1e30),
                ]);
                let small = matches!(kind, Kind::Integer { .. });
                let least = min.or(small.then_some(i32::MIN.into()));
                let most = max.or(small.then_some(i32::MAX.into()));
                out.extend(least.map(|least| ("too small".to_owned(), json!(least - 1))));
                out.extend(most.map(|most| ("too large".to_owned(), json!(most + 1))));
            }
        }
        out
    }

    /// A form cannot carry an empty structure: something in it must show that it is there.
    fn show(&self, members: &[Member], whole: &mut Map<String, Json>, but: &str) {
        let scalar = |member: &&Member| {
            let kind = self.kind(member.shape);
            member.name != but && matches!(kind, Kind::Text { .. } | Kind::Boolean | Kind::Integer { .. })
        };
        if self.form == Form::Query
            && whole.is_empty()
            && let Some(member) = members.iter().find(scalar)
        {
            whole.insert(member.name.to_owned(), self.good(member.shape));
        }
    }

    /// The structure without a required member, if it can be told from no structure.
    fn without(&self, members: &[Member], base: &Json, member: &Member) -> Option<Json> {
        let mut whole = base.as_object()?.clone();
        whole.remove(member.name);
        self.show(members, &mut whole, member.name);
        (self.form == Form::Json || !whole.is_empty()).then(|| whole.into())
    }

    fn body(&self, operation: &Operation, input: &Json) -> String {
        if self.form == Form::Json {
            return input.to_string();
        }
        let mut form = format!("Action={}&Version={}", operation.name, self.model.api_version);
        self.pairs(&mut form, operation.input, "", input);
        form
    }

    /// A value as parameters, whether it fits its shape or not.
    fn pairs(&self, form: &mut String, shape: Option<ShapeId>, name: &str, value: &Json) {
        let join = |part: &str| {
            if name.is_empty() {
                part.to_owned()
            } else {
                format!("{name}.{part}")
            }
        };
        match value {
            Json::Object(object) => {
                for (key, value) in object {
                    let member = match shape.map(|shape| self.kind(shape)) {
                        Some(Kind::Structure { members, .. }) => {
                            members.iter().find(|member| member.name == key)
                        }
                        _ => None,
                    };
                    let part = member.map_or(key.clone(), query_name);
                    self.pairs(form, member.map(|member| member.shape), &join(&part), value);
                }
            }
            Json::Array(items) => {
                let element = match shape.map(|shape| self.kind(shape)) {
                    Some(Kind::List { member, .. }) => Some(member.shape),
                    _ => None,
                };
                for (index, item) in items.iter().enumerate() {
                    self.pairs(form, element, &join(&(index + 1).to_string()), item);
                }
            }
            scalar => {
                let text = scalar.as_str().map_or_else(|| scalar.to_string(), str::to_owned);
                let _ = write!(form, "&{name}=");
                for byte in text.bytes() {
                    let _ = write!(form, "%{byte:02X}");
                }
            }
        }
    }

    fn request(&self, operation: &Operation, body: &str) -> String {
        let (content, target) = match self.form {
            Form::Json => (
                "application/x-amz-json-1.1",
                format!(
                    "X-Amz-Target: {}.{}\r\n",
                    self.model.target_prefix, operation.name
                ),
            ),
            Form::Query => ("application/x-www-form-urlencoded", String::new()),
        };
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content}\r\n{target}Authorization: AWS4-HMAC-SHA256 \
             Credential=AK/20270115/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Length: {}\r\n\r\n{body}",
            self.model.signing_name,
            body.len()
        )
    }

    /// In the service's form: a code, a message, a request id.
    fn well_formed(&self, head: &str, body: &str) -> bool {
        let id = head.to_ascii_lowercase().contains("x-amzn-requestid: ");
        id && match self.form {
            Form::Json => serde_json::from_str::<Json>(body).is_ok_and(|body| {
                let filled = |key: &str| body[key].as_str().is_some_and(|text| !text.is_empty());
                filled("__type") && filled("message")
            }),
            Form::Query => {
                let filled = |open: &str| {
                    body.split_once(open)
                        .is_some_and(|(_, rest)| !rest.starts_with('<'))
                };
                body.starts_with("<?xml") && filled("<Code>") && filled("<Message>") && filled("<RequestID>")
            }
        }
    }
}

/// As the protocol names members in requests.
fn query_name(member: &Member) -> String {
    assert_eq!(member.location, Location::Body);
    if !member.query.is_empty() {
        return member.query.to_owned();
    }
    let name = member.wire_name();
    name[..1].to_ascii_uppercase() + &name[1..]
}

/// One request on a connection that stays open.
async fn send(stream: &mut TcpStream, request: &str) -> (u16, String, String) {
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut got = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).await.expect("reads");
        assert!(count > 0, "closed after {request:.300}");
        got.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&got);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                return (status.expect("a status"), head.to_owned(), body.to_owned());
            }
        }
    }
}

async fn try_everything(world: &World, sender: &Sender) -> usize {
    let mut stream = world.connect().await;
    let mut tried = 0;
    let mut wrong = Vec::new();
    for operation in sender.model.operations {
        let Some(shape) = operation.input else { continue };
        let name = operation.name;
        let before = world.calls();
        let good = sender.body(operation, &sender.good(shape));
        let (_, _, body) = send(&mut stream, &sender.request(operation, &good)).await;
        assert_eq!(
            world.calls(),
            before + 1,
            "{name} refuses what its model accepts: {good}: {body}"
        );
        for (what, input) in sender.bad(shape, &[]) {
            let text = sender.body(operation, &input);
            if text.len() > LIMITS.body {
                continue;
            }
            let (status, head, body) = send(&mut stream, &sender.request(operation, &text)).await;
            tried += 1;
            if !(400..500).contains(&status) || !sender.well_formed(&head, &body) {
                wrong.push(format!("{name}, {what}: {text:.300}\n  {status} {body:.300}"));
            }
        }
        let large = sender.body(operation, &json!({ "NoSuchMember": "x".repeat(LIMITS.body) }));
        let (status, head, body) = send(&mut world.connect().await, &sender.request(operation, &large)).await;
        assert_eq!(status, 413, "{name}: {body}");
        assert!(sender.well_formed(&head, &body), "{name}: {body}");
        assert_eq!(world.calls(), before + 1, "{name}: the handler heard of it");
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    tried
}

#[tokio::test]
async fn ecs_refuses_everything_its_model_forbids() {
    let world = world(Trust::UnknownIsRoot).await;
    let model = &roadstead_api_ecs::MODEL;
    let tried = try_everything(
        &world,
        &Sender {
            model,
            form: Form::Json,
        },
    )
    .await;
    assert!(tried > 2000, "only {tried}");
}

#[tokio::test]
async fn ec2_refuses_everything_its_model_forbids() {
    let world = world(Trust::UnknownIsRoot).await;
    let model = &roadstead_api_ec2::MODEL;
    let tried = try_everything(
        &world,
        &Sender {
            model,
            form: Form::Query,
        },
    )
    .await;
    assert!(tried > 800, "only {tried}");
}
