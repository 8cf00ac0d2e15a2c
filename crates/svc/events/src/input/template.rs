//! Input templates: text with `<names>` in it. As documented, a name that stands where a JSON value would stand
//! becomes one; within a string it becomes its text.

use serde_json::Value as Json;

/// What the reserved names stand for.
pub(crate) struct Words<'a> {
    pub rule_arn: &'a str,
    pub rule_name: &'a str,
    /// RFC 3339.
    pub ingestion_time: &'a str,
}

/// `<aws.events.event>` and such.
const RESERVED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name {
        name: String,
        /// Between the quotes of a string.
        quoted: bool,
    },
}

impl Template {
    /// # Errors
    /// What is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut quoted = false;
        let mut chars = text.char_indices();
        while let Some((at, next)) = chars.next() {
            match next {
                '\\' => {
                    // An escaped bracket is the bracket itself; other escapes are JSON's and stay.
                    match chars.next() {
                        Some((_, bracket @ ('<' | '>'))) => plain.push(bracket),
                        Some((_, other)) => plain.extend(['\\', other]),
                        None => plain.push('\\'),
                    }
                }
                '"' => {
                    quoted = !quoted;
                    plain.push('"');
                }
                '<' => {
                    let rest = &text[at + 1..];
                    let end = rest
                        .find('>')
                        .ok_or_else(|| format!("the name at position {at} does not end"))?;
                    let name = &rest[..end];
                    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
                    if name.is_empty() || !name.chars().all(word) {
                        return Err(format!("{name:?} at position {at} is no name of a value"));
                    }
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Name {
                        name: name.to_owned(),
                        quoted,
                    });
                    // Past the name and its closing bracket.
                    chars.by_ref().take(name.chars().count() + 1).for_each(drop);
                }
                other => plain.push(other),
            }
        }
        parts.push(Part::Text(plain));
        Ok(Self(parts))
    }

    /// Names that neither the map of paths nor the platform knows.
    pub(crate) fn unknown(&self, known: &dyn Fn(&str) -> bool) -> Option<&str> {
        self.0.iter().find_map(|part| match part {
            Part::Name { name, .. } if !RESERVED.contains(&name.as_str()) && !known(name) => {
                Some(name.as_str())
            }
            _ => None,
        })
    }

    /// # Errors
    /// What it makes is neither JSON nor a string.
    pub(crate) fn fill(
        &self,
        values: &[(&str, Option<Json>)],
        event: &Json,
        words: &Words<'_>,
    ) -> Result<String, String> {
        let mut made = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => made.push_str(text),
                Part::Name { name, quoted } => insert(&mut made, &value(name, values, event, words), *quoted),
            }
        }
        Ok(made)
    }
}

fn value(name: &str, values: &[(&str, Option<Json>)], event: &Json, words: &Words<'_>) -> Option<Json> {
    let text = |text: &str| Some(Json::String(text.to_owned()));
    match name {
        "aws.events.rule-arn" => text(words.rule_arn),
        "aws.events.rule-name" => text(words.rule_name),
        "aws.events.event.ingestion-time" => text(words.ingestion_time),
        // Without the detail, as documented.
        "aws.events.event" => {
            let mut event = event.clone();
            if let Some(fields) = event.as_object_mut() {
                fields.remove("detail");
            }
            Some(event)
        }
        "aws.events.event.json" => Some(event.clone()),
        _ => values.iter().find(|(known, _)| *known == name)?.1.clone(),
    }
}

/// What is not there becomes an empty string within quotes, and null outside.
fn insert(made: &mut String, value: &Option<Json>, quoted: bool) {
    if !quoted {
        match value {
            Some(value) => made.push_str(&value.to_string()),
            None => made.push_str("null"),
        }
        return;
    }
    match value {
        Some(Json::String(text)) => {
            let escaped = Json::String(text.clone()).to_string();
            made.push_str(&escaped[1..escaped.len() - 1]);
        }
        Some(other) => {
            let escaped = Json::String(other.to_string()).to_string();
            made.push_str(&escaped[1..escaped.len() - 1]);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WORDS: Words<'_> = Words {
        rule_arn: "arn:rule",
        rule_name: "rule",
        ingestion_time: "2026-01-31T08:00:00Z",
    };

    fn fill(template: &str) -> String {
        let event = json!({"detail": {"x": 1}, "source": "s"});
        let values = [
            ("text", Some(json!("a \"b\""))),
            ("number", Some(json!(5))),
            ("list", Some(json!([1, "x"]))),
            ("nothing", None),
        ];
        Template::parse(template)
            .expect(template)
            .fill(&values, &event, &WORDS)
            .expect(template)
    }

    #[test]
    fn names_become_values_or_text() {
        for (template, made) in [
            ("\"It is <number>: <text>\"", "\"It is 5: a \\\"b\\\"\""),
            (
                "{\"a\": <number>, \"b\": <text>}",
                "{\"a\": 5, \"b\": \"a \\\"b\\\"\"}",
            ),
            (
                "{\"a\": \"<number>\", \"b\": \"x-<nothing>-y\"}",
                "{\"a\": \"5\", \"b\": \"x--y\"}",
            ),
            (
                "{\"a\": <list>, \"b\": <nothing>}",
                "{\"a\": [1,\"x\"], \"b\": null}",
            ),
            ("{\"a\": \"<list>\"}", "{\"a\": \"[1,\\\"x\\\"]\"}"),
            ("<aws.events.rule-name>", "\"rule\""),
            (
                "{\"r\": <aws.events.rule-arn>, \"e\": <aws.events.event>}",
                "{\"r\": \"arn:rule\", \"e\": {\"source\":\"s\"}}",
            ),
            (
                "<aws.events.event.json>",
                "{\"detail\":{\"x\":1},\"source\":\"s\"}",
            ),
            (
                "\"a \\<text\\> and \\\"<number>\\\"\"",
                "\"a <text> and \\\"5\\\"\"",
            ),
        ] {
            assert_eq!(fill(template), made, "{template}");
        }
    }

    #[test]
    fn names_nobody_knows_are_found() {
        let known = |name: &str| name == "a";
        let template = |text: &str| Template::parse(text).expect(text);
        assert_eq!(template("<a> <aws.events.event>").unknown(&known), None);
        assert_eq!(template("<a> <b>").unknown(&known), Some("b"));
        for bad in ["<a", "<>", "<a b>"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
