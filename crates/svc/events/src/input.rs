//! What a target gets of an event: all of it, a constant, a part, or a text made of parts. Pure, so that
//! `PutTargets` refuses what could never be made.

mod path;
mod template;

use serde_json::Value as Json;

pub(crate) use path::Path;
pub(crate) use template::{Template, Words};

use crate::records::InputRecord;

/// A target's input, made at delivery.
pub(crate) fn make(input: &InputRecord, event: &Json, words: &Words<'_>) -> Result<String, String> {
    match input {
        InputRecord::Event => Ok(event.to_string()),
        InputRecord::Constant(text) => Ok(text.clone()),
        InputRecord::Path(path) => {
            let part = Path::parse(path)?.find(event);
            Ok(part.unwrap_or(Json::Null).to_string())
        }
        InputRecord::Transformed { paths, template } => {
            let mut values = Vec::new();
            for (name, path) in paths {
                values.push((name.as_str(), Path::parse(path)?.find(event)));
            }
            Template::parse(template)?.fill(&values, event, words)
        }
    }
}
