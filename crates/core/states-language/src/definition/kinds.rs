//! What stands in a state of each type alone.

use serde_json::Value;

use super::choice::{rules, timestamp};
use super::fields::{number, reference, text};
use super::flow::{self, Nesting};
use super::handlers::MOST;
use super::reader::Reader;
use super::resource::Resource;
use super::templates::Reading;
use super::{Kind, Map, QueryLanguage, Task, Wait};
use crate::diagnostic::Code;
use crate::template::Template;

pub(super) fn task(reader: &Reader<'_>, reading: Reading<'_>) -> Option<Kind> {
    reader.require(&["Resource"]);
    let resource = reader.string("Resource").and_then(|arn| {
        let resource = Resource::parse(arn);
        if resource.is_none() {
            reader.report.add(
                Code::InvalidResource,
                format!("Value '{arn}' is not a valid resource ARN"),
                &reader.below("Resource"),
            );
        }
        resource
    });
    let timeout = number(reader, reading, "TimeoutSeconds", "TimeoutSecondsPath", (1, MOST));
    let heartbeat = number(
        reader,
        reading,
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
        (1, MOST),
    );
    if let (Some(Template::Literal(timeout)), Some(Template::Literal(heartbeat))) = (&timeout, &heartbeat)
        && timeout.as_u64() <= heartbeat.as_u64()
    {
        reader.schema(
            "HeartbeatSeconds",
            "The value of 'HeartbeatSeconds' must be less than 'TimeoutSeconds'",
        );
    }
    let credentials = reader
        .object("Credentials")
        .is_some()
        .then(|| reader.get("Credentials"))
        .flatten();
    let credentials =
        credentials.map(|value| reading.template(value, "Credentials", &reader.below("Credentials")));
    Some(Kind::Task(Box::new(Task {
        resource: resource?,
        timeout,
        heartbeat,
        credentials,
    })))
}

pub(super) fn pass(reader: &Reader<'_>, reading: Reading<'_>) -> Option<Kind> {
    if reading.language == QueryLanguage::Jsonata {
        return Some(Kind::Pass { result: None });
    }
    reader.exclusive(&["Result", "Parameters"]);
    let result = reader.get("Result").cloned();
    if let Some(result) = &result
        && is_dynamic(result)
    {
        reader.report.add(
            Code::PassResultIsStatic,
            "The result of a Pass state is taken as it stands",
            &reader.below("Result"),
        );
    }
    Some(Kind::Pass { result })
}

fn is_dynamic(value: &Value) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key.ends_with(".$") || is_dynamic(value)),
        Value::Array(items) => items.iter().any(is_dynamic),
        _ => false,
    }
}

pub(super) fn choice(reader: &Reader<'_>, reading: Reading<'_>) -> Option<Kind> {
    Some(Kind::Choice {
        rules: rules(reader, reading),
        default: reader.string("Default").map(str::to_owned),
    })
}

pub(super) fn wait(reader: &Reader<'_>, reading: Reading<'_>) -> Option<Kind> {
    let names = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
    let fields = match reading.language {
        QueryLanguage::JsonPath => &names[..],
        QueryLanguage::Jsonata => &["Seconds", "Timestamp"],
    };
    if fields.iter().filter(|name| reader.has(name)).count() != 1 {
        reader.report.schema(
            format!("Exactly one of the fields [{}] is required", fields.join(", ")),
            &reader.at,
        );
    }
    let seconds = number(reader, reading, "Seconds", "SecondsPath", (0, MOST));
    let until = text(reader, reading, "Timestamp", "TimestampPath");
    if let Some(Template::Literal(Value::String(text))) = &until
        && timestamp(text).is_none()
    {
        reader.schema(
            "Timestamp",
            "Value is not a valid timestamp: it looks like 2016-03-14T01:59:00Z",
        );
    }
    seconds
        .map(Wait::Seconds)
        .or(until.map(Wait::Timestamp))
        .map(Kind::Wait)
}

pub(super) fn fail(reader: &Reader<'_>, reading: Reading<'_>) -> Option<Kind> {
    for name in ["Error", "Cause"] {
        let value = reader.get(name).and_then(Value::as_str);
        if reading.language == QueryLanguage::JsonPath && value.is_some_and(|text| text.starts_with("$.")) {
            let message = "The value looks like a path, but the name of the field does not end with 'Path'";
            reader.report.add(Code::NoPath, message, &reader.below(name));
        }
    }
    let error = text(reader, reading, "Error", "ErrorPath");
    let cause = text(reader, reading, "Cause", "CausePath");
    Some(Kind::Fail { error, cause })
}

pub(super) fn parallel(reader: &Reader<'_>, nesting: &Nesting<'_>) -> Option<Kind> {
    reader.require(&["Branches"]);
    let branches = reader.array("Branches")?;
    if branches.is_empty() {
        reader.schema("Branches", "The value of 'Branches' must not be empty");
    }
    let at = reader.below("Branches");
    let flows: Vec<_> = branches
        .iter()
        .enumerate()
        .filter_map(|(index, branch)| flow::inner(branch, &format!("{at}/{index}"), nesting, false))
        .collect();
    (flows.len() == branches.len()).then_some(Kind::Parallel { branches: flows })
}

/// The fields of maps that run distributed, which are refused by name.
const DISTRIBUTED: [&str; 8] = [
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];

pub(super) fn map(
    reader: &Reader<'_>,
    reading: Reading<'_>,
    nesting: &Nesting<'_>,
) -> Option<(Kind, Option<Template>)> {
    for name in DISTRIBUTED {
        if reader.get(name).is_some() {
            reader.report.schema(
                format!(
                    "Field '{name}' is only supported for a Map in 'DISTRIBUTED' mode, which is not supported"
                ),
                &reader.at,
            );
        }
    }
    reader.exclusive(&["ItemProcessor", "Iterator"]);
    let name = if reader.has("Iterator") {
        "Iterator"
    } else {
        "ItemProcessor"
    };
    reader.require(&[name]);
    let selector = match reading.language {
        QueryLanguage::JsonPath => {
            reader.exclusive(&["ItemSelector", "Parameters"]);
            for name in ["ItemSelector", "Parameters"] {
                reader.object(name);
            }
            let old = reader
                .get("Parameters")
                .map(|value| reading.template(value, "Parameters", &reader.below("Parameters")));
            old.or_else(|| item_selector(reader, reading))
        }
        QueryLanguage::Jsonata => item_selector(reader, reading),
    };
    let items = match reading.language {
        QueryLanguage::JsonPath => reader
            .get("ItemsPath")
            .and_then(|value| reference(reader, "ItemsPath", value))
            .map(|path| Template::Path(path, "ItemsPath".to_owned())),
        QueryLanguage::Jsonata => reader
            .get("Items")
            .and_then(|value| items(value, reader, reading)),
    };
    let max_concurrency = number(reader, reading, "MaxConcurrency", "MaxConcurrencyPath", (0, MOST));
    let processor = flow::inner(
        reader.get(name)?,
        &reader.below(name),
        nesting,
        name == "ItemProcessor",
    )?;
    Some((
        Kind::Map(Box::new(Map {
            items,
            max_concurrency,
            processor,
        })),
        selector,
    ))
}

fn item_selector(reader: &Reader<'_>, reading: Reading<'_>) -> Option<Template> {
    reader
        .get("ItemSelector")
        .map(|value| reading.template(value, "ItemSelector", &reader.below("ItemSelector")))
}

fn items(value: &Value, reader: &Reader<'_>, reading: Reading<'_>) -> Option<Template> {
    let dynamic = value.as_str().is_some_and(|text| text.starts_with("{%"));
    if !dynamic && !value.is_array() && !value.is_object() {
        reader.schema(
            "Items",
            "Expected a JSONata expression or a value of type Array or Object",
        );
        return None;
    }
    Some(reading.template(value, "Items", &reader.below("Items")))
}
