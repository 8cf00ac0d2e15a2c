//! `aws-sdk:service:operation`: every operation of every service here. The names of members are in Pascal case and times
//! in ISO 8601, as the developer guide has it ("AWS SDK service integrations"), whatever a service's own protocol says.

use roadstead_base::Timestamp;
use roadstead_protocol::{Kind, Member, ServiceModel, ShapeId};
use serde_json::{Map, Value as Json};

use crate::States;

/// How the integrations call services whose names here are others.
const NAMES: [(&str, &str); 4] = [
    ("cloudwatchlogs", "logs"),
    ("eventbridge", "events"),
    ("cloudwatchevents", "events"),
    ("sfn", "stepfunctions"),
];

/// An operation that can be called.
pub(crate) struct Operation {
    model: &'static ServiceModel,
    known: &'static roadstead_protocol::Operation,
}

impl Operation {
    /// By the names of the integration: `aws-sdk:ecs` and `describeClusters`.
    pub(crate) fn of(states: &States, service: &str, action: &str) -> Option<Self> {
        let service = service.strip_prefix("aws-sdk:")?;
        let name = NAMES
            .iter()
            .find(|(integration, _)| *integration == service)
            .map_or(service, |(_, name)| name);
        let model = states.dispatcher.model(name)?;
        let known = model.operation(&pascal(action))?;
        Some(Self { model, known })
    }

    pub(crate) fn service(&self) -> &'static str {
        self.model.name
    }

    pub(crate) fn name(&self) -> &'static str {
        self.known.name
    }

    /// The shape of what it answers, and the model that it is of.
    pub(crate) fn answers(&self) -> (&'static ServiceModel, Option<ShapeId>) {
        (self.model, self.known.output)
    }

    /// The shape of what it takes, and the model that it is of.
    pub(crate) fn takes(&self) -> (&'static ServiceModel, Option<ShapeId>) {
        (self.model, self.known.input)
    }

    /// The input as the model names its members.
    pub(crate) fn input(&self, parameters: Json) -> Json {
        match self.known.input {
            Some(shape) => self.renamed(shape, parameters, Way::In),
            None => parameters,
        }
    }

    /// By the names here: `ecs` and `RunTask`.
    pub(crate) fn named(states: &States, service: &str, operation: &str) -> Option<Self> {
        let model = states.dispatcher.model(service)?;
        let known = model.operation(operation)?;
        Some(Self { model, known })
    }

    /// The output as the integration names its members.
    pub(crate) fn output(&self, output: Json, times: Times) -> Json {
        match self.known.output {
            Some(shape) => self.renamed(shape, output, Way::Out(times)),
            None => Json::Object(Map::new()),
        }
    }

    fn renamed(&self, shape: ShapeId, json: Json, way: Way) -> Json {
        match (&self.model.shape(shape).kind, json) {
            (Kind::Structure { members, .. }, Json::Object(fields)) => {
                let rename = |(name, value): (String, Json)| match member(members, &name) {
                    Some(member) => {
                        let shown = match way {
                            Way::In => member.name.to_owned(),
                            Way::Out(_) => pascal(member.name),
                        };
                        (shown, self.renamed(member.shape, value, way))
                    }
                    // Which is refused by name.
                    None => (name, value),
                };
                Json::Object(fields.into_iter().map(rename).collect())
            }
            (Kind::List { member, .. }, Json::Array(items)) => items
                .into_iter()
                .map(|item| self.renamed(member.shape, item, way))
                .collect(),
            (Kind::Map { value: member, .. }, Json::Object(fields)) => {
                let rename = |(key, value)| (key, self.renamed(member.shape, value, way));
                Json::Object(fields.into_iter().map(rename).collect())
            }
            (Kind::Timestamp { .. }, json) => time(json, way),
            (_, json) => json,
        }
    }
}

/// How an output says times: those of `aws-sdk` are texts, the others' milliseconds since 1970.
#[derive(Clone, Copy)]
pub(crate) enum Times {
    Texts,
    Millis,
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out(Times),
}

/// By its own name, or that in Pascal case.
fn member<'m>(members: &'m [Member], name: &str) -> Option<&'m Member> {
    let own = members.iter().find(|member| member.name == name);
    own.or_else(|| members.iter().find(|member| pascal(member.name) == name))
}

pub(crate) fn pascal(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|one| one.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Seconds since 1970 in the protocols, a text outside.
fn time(json: Json, way: Way) -> Json {
    match (way, &json) {
        (Way::In, Json::String(text)) => match Timestamp::from_rfc3339(text) {
            Some(time) => Json::from(time.as_seconds()),
            None => json,
        },
        (Way::Out(times), Json::Number(number)) => match number.as_f64() {
            Some(seconds) => match (Timestamp::from_seconds(seconds), times) {
                (time, Times::Texts) => Json::from(time.to_rfc3339()),
                (Timestamp(millis), Times::Millis) => Json::from(millis),
            },
            None => json,
        },
        _ => json,
    }
}
