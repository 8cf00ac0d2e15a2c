//! What was asked and answered, as records of calls show it: members by their names with a small first letter, secrets
//! hidden, what is too large left out. Source: "CloudTrail record contents" in the CloudTrail user guide.

use roadstead_protocol::{Kind, Operation, ServiceModel, ShapeId, Value};
use serde_json::{Map, Value as Json, json};

/// Bytes of either part; what is larger is left out.
const MOST: usize = 100 * 1024;
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// Secrets that the models do not call so.
const SECRETS: &[&str] = &["SessionToken", "Password", "MessageBody", "Body"];

/// Adds both to a record. Of a call that only reads no answer is shown.
pub(crate) fn complete(
    record: &mut Json,
    model: &ServiceModel,
    operation: &Operation,
    asked: &Value,
    answered: Option<&Value>,
) {
    if let Some(shape) = operation.input {
        bounded(record, "requestParameters", shown(model, shape, asked));
    }
    let reads = record["readOnly"].as_bool().unwrap_or_default();
    if let (Some(shape), Some(answered), false) = (operation.output, answered, reads) {
        bounded(record, "responseElements", shown(model, shape, answered));
    }
}

fn bounded(record: &mut Json, part: &str, shown: Json) {
    if shown.as_object().is_some_and(Map::is_empty) {
        return;
    }
    if shown.to_string().len() > MOST {
        let left_out = json!({ part: {"reasonCode": "FIELD_TOO_LARGE"} });
        record["omitted"] = json!(true);
        record["omittedContents"] = left_out;
        return;
    }
    record[part] = shown;
}

fn shown(model: &ServiceModel, shape: ShapeId, value: &Value) -> Json {
    let shape = model.shape(shape);
    if shape.sensitive {
        return json!(HIDDEN);
    }
    match (value, &shape.kind) {
        (Value::Map(fields), Kind::Structure { members, .. }) => {
            let member = |name: &str| members.iter().find(|member| member.name == name);
            let fields = fields.iter().filter_map(|(name, value)| {
                let member = member(name)?;
                let value = if SECRETS.contains(&member.name) {
                    json!(HIDDEN)
                } else {
                    shown(model, member.shape, value)
                };
                Some((small_first(name), value))
            });
            Json::Object(fields.collect())
        }
        (Value::Map(fields), Kind::Map { value: inner, .. }) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.to_string(), shown(model, inner.shape, value)));
            Json::Object(fields.collect())
        }
        (Value::List(items), Kind::List { member, .. }) => Json::Array(
            items
                .iter()
                .map(|item| shown(model, member.shape, item))
                .collect(),
        ),
        (Value::Bool(flag), _) => json!(flag),
        (Value::Int(number), _) => json!(number),
        (Value::Float(number), _) => json!(number),
        (Value::Str(text), _) => json!(text),
        (Value::Time(time), _) => json!(roadstead_base::Timestamp::from_seconds(*time).to_rfc3339()),
        (Value::Document(document), _) => document.clone(),
        // Bytes and events are contents, and what does not fit the model is nothing to show.
        (Value::Blob(_) | Value::Map(_) | Value::List(_) | Value::Events(_), _) => json!(HIDDEN),
    }
}

fn small_first(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(operation: &'static str, reads: bool, asked: &Json, answered: &Json) -> Json {
        let model = &roadstead_api_ecs::MODEL;
        let operation = model.operation(operation).expect("there");
        let value = |shape: Option<ShapeId>, json: &Json| {
            let shape = shape.expect("a shape");
            roadstead_protocol::json::from_json(model, shape, json.clone(), "").expect("fits the model")
        };
        let mut record = json!({"readOnly": reads, "requestParameters": null, "responseElements": null});
        let (asked, answered) = (value(operation.input, asked), value(operation.output, answered));
        complete(&mut record, model, operation, &asked, Some(&answered));
        record
    }

    #[test]
    fn secrets_and_answers_to_readers_are_left_out() {
        let definition = json!({"family": "f", "containerDefinitions": [{"name": "c",
            "environment": [{"name": "PASSWORD", "value": "s3cret"}]}]});
        let record = completed(
            "RegisterTaskDefinition",
            false,
            &definition,
            &json!({"taskDefinition": {"family": "f", "revision": 1}}),
        );
        assert_eq!(
            record["requestParameters"],
            json!({"family": "f", "containerDefinitions": [{"name": "c", "environment": HIDDEN}]})
        );
        assert_eq!(
            record["responseElements"],
            json!({"taskDefinition": {"family": "f", "revision": 1}})
        );
        let record = completed("ListClusters", true, &json!({}), &json!({"clusterArns": ["a"]}));
        assert_eq!(record["requestParameters"], Json::Null);
        assert_eq!(record["responseElements"], Json::Null);
    }

    #[test]
    fn what_is_too_large_is_left_out_and_said_to_be() {
        let many: Vec<String> = (0..2000).map(|number| format!("{number:0>64}")).collect();
        let record = completed(
            "DescribeClusters",
            true,
            &json!({"clusters": many}),
            &json!({"clusters": []}),
        );
        assert_eq!(record["requestParameters"], Json::Null);
        assert_eq!(record["omitted"], true);
        assert_eq!(
            record["omittedContents"]["requestParameters"]["reasonCode"],
            "FIELD_TOO_LARGE"
        );
    }
}
