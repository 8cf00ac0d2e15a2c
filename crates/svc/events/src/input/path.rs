//! Paths into an event: `$.detail.items[0].name`, `$.detail['a b']`, `$.resources[*]`. The part of JSONPath that
//! EventBridge knows: one place, or all members of a list.

use serde_json::Value as Json;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    All,
}

impl Path {
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(mut rest) = text.strip_prefix('$') else {
            return Err(format!("the path {text:?} does not begin with $"));
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            let wrong = |wanted: &str| format!("the path {text:?} at position {at}: expected {wanted}");
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
                if name.is_empty() || !name.chars().all(plain) {
                    return Err(wrong("a field's name of letters, digits, _ and -"));
                }
                steps.push(Step::Field(name.to_owned()));
                rest = &after[end..];
            } else if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').ok_or_else(|| wrong("a closing bracket"))?;
                let inner = &after[..end];
                let quoted = inner
                    .strip_prefix('\'')
                    .and_then(|name| name.strip_suffix('\''))
                    .or_else(|| inner.strip_prefix('"').and_then(|name| name.strip_suffix('"')));
                steps.push(match (inner, quoted) {
                    ("*", _) => Step::All,
                    (_, Some(name)) if !name.is_empty() => Step::Field(name.to_owned()),
                    _ => Step::Index(inner.parse().map_err(|_| wrong("a number, * or a quoted name"))?),
                });
                rest = &after[end + 1..];
            } else {
                return Err(wrong("a dot or an opening bracket"));
            }
        }
        Ok(Self(steps))
    }

    /// What is there; none if there is nothing.
    pub(crate) fn find(&self, event: &Json) -> Option<Json> {
        find(&self.0, event)
    }
}

fn find(steps: &[Step], value: &Json) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value.clone());
    };
    match step {
        Step::Field(name) => find(rest, value.get(name)?),
        Step::Index(index) => find(rest, value.get(index)?),
        Step::All => {
            let members = value.as_array()?.iter().filter_map(|member| find(rest, member));
            Some(Json::Array(members.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_they_name() {
        let event = json!({"detail": {"items": [{"name": "a"}, {"name": "b"}, {}], "a b": 1, "x-y_z": null}});
        for (path, found) in [
            ("$", Some(event.clone())),
            ("$.detail.items[1].name", Some(json!("b"))),
            ("$.detail['a b']", Some(json!(1))),
            ("$[\"detail\"].x-y_z", Some(json!(null))),
            ("$.detail.items[*].name", Some(json!(["a", "b"]))),
            ("$.detail.missing", None),
            ("$.detail.items[9]", None),
            ("$.detail.items.name", None),
        ] {
            assert_eq!(Path::parse(path).expect(path).find(&event), found, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[]", "$.a[x]", "$.a b", "$.a['']",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
