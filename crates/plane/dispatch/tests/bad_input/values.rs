//! Values by a model: the least that it accepts, and everything that it forbids, each with what is wrong about it.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use roadstead_protocol::check::{ascii, compile};
use roadstead_protocol::{Kind, Member, ServiceModel, ShapeId};
use serde_json::{Map, Value as Json, json};

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
    "arn:aws:iam::000000000000:role/a",
    "arn:aws:lambda:us-east-1:000000000000:function:a",
    "arn:aws:lambda:us-east-1:000000000000:layer:a",
    "arn:aws:lambda:us-east-1:000000000000:layer:a:1",
    "lambda:InvokeFunction",
    "vpc-00000000000000000",
    "2026-01-01T00:00:00Z",
];
/// Texts that patterns are made against.
const OUTSIDERS: &[&str] = &["\u{1}", "!", "a b", "\u{e9}\u{4e2d}", ""];
/// Tries to make a text that a pattern wants.
const TRIES: usize = 200;

/// What carries a value, as far as it decides what can be wrong.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Carrier {
    /// JSON and CBOR know types.
    Typed,
    /// Forms, XML, headers, paths know texts, and can carry nothing that is empty.
    Text,
}

pub(crate) struct Values {
    pub(crate) model: &'static ServiceModel,
    pub(crate) carrier: Carrier,
}

impl Values {
    pub(crate) fn kind(&self, shape: ShapeId) -> &'static Kind {
        &self.model.shape(shape).kind
    }

    fn typed(&self) -> bool {
        self.carrier == Carrier::Typed
    }

    /// A value that its model accepts: required members, the least of everything.
    pub(crate) fn good(&self, shape: ShapeId) -> Json {
        match self.kind(shape) {
            Kind::Structure { document: true, .. } => json!({}),
            Kind::Structure { members, union, .. } => {
                let required = members.iter().filter(|member| member.required);
                let mut whole: Map<_, _> = required
                    .map(|member| (member.name.to_owned(), self.good(member.shape)))
                    .collect();
                if *union && let Some(first) = members.first() {
                    whole.insert(first.name.to_owned(), self.good(first.shape));
                }
                self.show(members, &mut whole, "");
                whole.into()
            }
            Kind::List { member, min, .. } => {
                let least = min.unwrap_or(0).max(u64::from(!self.typed()));
                (0..least).map(|_| self.good(member.shape)).collect()
            }
            Kind::Map { key, value, min, .. } => {
                let least = min.unwrap_or(0).max(u64::from(!self.typed()));
                let key = |n: u64| match self.good(key.shape) {
                    Json::String(text) if n == 0 => text,
                    _ => format!("k{n}"),
                };
                (0..least)
                    .map(|n| (key(n), self.good(value.shape)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            kind @ Kind::Text { .. } => json!(word(kind)),
            Kind::Blob { .. } => json!("YQ=="),
            Kind::Integer { min, max } | Kind::Long { min, max } => {
                json!(min.unwrap_or(1).max(1).min(max.unwrap_or(i64::MAX)))
            }
            Kind::Double { min, max } => json!(min.unwrap_or(1.5).min(max.unwrap_or(f64::MAX))),
            Kind::Boolean => json!(true),
            Kind::Timestamp { .. } if self.typed() => json!(1_700_000_000),
            Kind::Timestamp { .. } => json!("2026-01-01T00:00:00Z"),
        }
    }

    /// Values that its model forbids. `above` bounds recursive shapes.
    pub(crate) fn bad(&self, shape: ShapeId, above: &[ShapeId]) -> Vec<(String, Json)> {
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
        let typed = self.typed();
        let of = |yes: &[Json], no: &[Json]| if typed { yes.to_vec() } else { no.to_vec() };
        match self.kind(shape) {
            Kind::Structure { document: true, .. } => {}
            Kind::Structure { members, .. } => {
                wrong(of(&[json!("x"), json!(1), json!([]), json!(true)], &[json!("x")]));
                out.extend(self.bad_members(shape, members, &inside));
            }
            Kind::List { member, min, max, .. } => {
                wrong(of(
                    &[json!("x"), json!(1), json!({"a": 1})],
                    &[json!("x"), json!({"a": "1"})],
                ));
                if typed {
                    out.push(("null inside".to_owned(), json!([null])));
                }
                let many = |count: u64| (0..count).map(|_| self.good(member.shape)).collect::<Json>();
                if let Some(min) = min.filter(|min| *min > u64::from(!typed)) {
                    out.push(("too few".to_owned(), many(min - 1)));
                }
                if let Some(max) = max.filter(|max| *max < 1000) {
                    out.push(("too many".to_owned(), many(max + 1)));
                }
                for (what, value) in self.bad(member.shape, &inside) {
                    out.push((format!("inside {what}"), json!([value])));
                }
            }
            Kind::Map {
                key, value, min, max, ..
            } => {
                wrong(of(&[json!("x"), json!(1), json!(["a"])], &[json!("x")]));
                let many = |count: u64| -> Json {
                    (0..count)
                        .map(|n| (format!("k{n}"), self.good(value.shape)))
                        .collect::<Map<_, _>>()
                        .into()
                };
                if let Some(min) = min.filter(|min| *min > u64::from(!typed)) {
                    out.push(("too few".to_owned(), many(min - 1)));
                }
                if let Some(max) = max.filter(|max| *max < 1000) {
                    out.push(("too many".to_owned(), many(max + 1)));
                }
                let name = self.good(key.shape);
                let name = name.as_str().unwrap_or("k");
                for (what, value) in self.bad(value.shape, &inside) {
                    out.push((format!("at {name} {what}"), json!({ name: value })));
                }
                for (what, bad) in self.bad(key.shape, &inside) {
                    if let Some(bad) = bad.as_str().filter(|bad| !bad.is_empty()) {
                        out.push((format!("a key {what}"), json!({ bad: self.good(value.shape) })));
                    }
                }
            }
            kind @ Kind::Text { .. } => {
                wrong(of(
                    &[json!(1), json!(true), json!({}), json!(["x"])],
                    &[json!({"x": "1"})],
                ));
                out.extend(
                    bad_texts(kind)
                        .into_iter()
                        .map(|(what, text)| (what, json!(text))),
                );
            }
            // A text form's blob is base64.
            Kind::Blob { .. } => wrong(of(&[json!("*"), json!(1)], &[json!("*"), json!({"x": "1"})])),
            Kind::Boolean => wrong(of(
                &[json!("true"), json!(1)],
                &[json!("maybe"), json!(""), json!("1")],
            )),
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

    fn bad_members(
        &self,
        shape: ShapeId,
        members: &'static [Member],
        inside: &[ShapeId],
    ) -> Vec<(String, Json)> {
        let mut out = Vec::new();
        let base = self.good(shape);
        for member in members {
            if member.required
                && let Some(without) = self.without(members, &base, member)
            {
                out.push((format!("{} missing", member.name), without));
            }
            for (what, value) in self.bad(member.shape, inside) {
                let mut whole = base.clone();
                whole[member.name] = value;
                out.push((format!("{}: {what}", member.name), whole));
            }
        }
        let mut whole = base;
        whole["NoSuchMember"] = json!("x");
        out.push(("an unknown member".to_owned(), whole));
        out
    }

    /// Text cannot carry an empty structure: something in it must show that it is there.
    fn show(&self, members: &[Member], whole: &mut Map<String, Json>, but: &str) {
        let scalar = |member: &&Member| {
            let kind = self.kind(member.shape);
            member.name != but && matches!(kind, Kind::Text { .. } | Kind::Boolean | Kind::Integer { .. })
        };
        if !self.typed()
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
        (self.typed() || !whole.is_empty()).then(|| whole.into())
    }
}

/// A text that the shape accepts.
fn word(kind: &Kind) -> String {
    let Kind::Text {
        min,
        max,
        pattern,
        values,
    } = kind
    else {
        return String::new();
    };
    if let Some(first) = values.first() {
        return (*first).to_owned();
    }
    let regex = pattern.and_then(compile);
    let fits = |text: &str| {
        let length = text.chars().count() as u64;
        min.is_none_or(|min| length >= min)
            && max.is_none_or(|max| length <= max)
            && regex.as_ref().is_none_or(|regex| regex.is_match(text))
    };
    let filler = "a".repeat(min.unwrap_or(1) as usize);
    let known = WORDS.iter().copied().chain([filler.as_str()]);
    if let Some(found) = known.into_iter().find(|text| fits(text)) {
        return found.to_owned();
    }
    let plain = ascii(pattern.unwrap_or_default()).replace(['^', '$'], "");
    let made = proptest::string::string_regex(&plain).ok().and_then(|texts| {
        let mut runner = TestRunner::deterministic();
        (0..TRIES)
            .filter_map(|_| Some(texts.new_tree(&mut runner).ok()?.current()))
            .find(|text| fits(text) && !text.is_empty())
    });
    made.unwrap_or_else(|| {
        panic!("no text fits {pattern:?} of {min:?} to {max:?} characters: add one to WORDS")
    })
}

fn bad_texts(kind: &Kind) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Kind::Text {
        min,
        max,
        pattern,
        values,
    } = kind
    {
        if !values.is_empty() {
            out.push(("no such value".to_owned(), "no-such-value".to_owned()));
        }
        if let Some(max) = max.filter(|max| *max < 20_000) {
            out.push(("too long".to_owned(), "a".repeat(max as usize + 1)));
        }
        if let Some(min) = min.filter(|min| *min > 0) {
            out.push(("too short".to_owned(), "a".repeat(min as usize - 1)));
        }
        if let Some(regex) = pattern.and_then(compile) {
            let outsider = OUTSIDERS.iter().find(|text| !regex.is_match(text));
            out.extend(outsider.map(|text| ("of another pattern".to_owned(), (*text).to_owned())));
        }
    }
    out
}
