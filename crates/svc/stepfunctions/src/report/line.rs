//! An event as a line of a log. Source: "Using CloudWatch Logs to log execution history" in the developer guide.

use roadstead_states_language::HistoryEvent;
use serde_json::{Map, Value as Json, json};

use crate::history::{self, Around};
use crate::report::Subject;
use crate::report::journal::Line;

/// What input or output may have, escaped; beyond it is cut off, and said to be.
const MOST: usize = 248 * 1024;

/// Nothing if the machine's level leaves it out.
pub(super) fn of(subject: &Subject, event: &HistoryEvent) -> Option<Line> {
    let log = subject.log.as_ref().filter(|log| log.level.takes(&event.what))?;
    let around = Around {
        partition: &subject.partition,
        machine: &subject.machine,
        role_arn: &subject.role_arn,
        origin: &subject.origin,
    };
    let details = history::details(&around, &event.what, log.data);
    let mut details = details.map(|(_, details)| details).unwrap_or_default();
    if !log.data {
        // Of the history it is a required member.
        details.remove("parameters");
    }
    shorten(&mut details);
    let message = json!({
        "id": event.id.to_string(),
        "type": event.what.type_name(),
        "details": details,
        "redrive_count": subject.redrives.to_string(),
        "previous_event_id": event.previous.to_string(),
        "event_timestamp": event.at.to_string(),
        "execution_arn": subject.execution_arn,
    });
    Some(Line {
        to: log.place.clone(),
        at: event.at,
        id: event.id,
        message: message.to_string(),
    })
}

fn shorten(details: &mut Map<String, Json>) {
    let truncated = || json!({"truncated": true});
    for (member, said) in [
        ("input", Some("inputDetails")),
        ("output", Some("outputDetails")),
        ("parameters", None),
    ] {
        let Some(short) = details.get(member).and_then(Json::as_str).and_then(cut) else {
            continue;
        };
        let short = json!(short);
        details.insert(member.to_owned(), short);
        if let Some(said) = said {
            details.insert(said.to_owned(), truncated());
        }
    }
    // There is no half of a variable.
    let variables = details
        .get("assignedVariables")
        .map(roadstead_states_language::size);
    if variables.is_some_and(|size| size > MOST) {
        details.remove("assignedVariables");
        details.insert("assignedVariablesDetails".to_owned(), truncated());
    }
}

/// As much of a text as fits, if not all of it does.
fn cut(text: &str) -> Option<&str> {
    if text.len() * 6 <= MOST {
        return None;
    }
    let mut escaped = 0;
    for (at, one) in text.char_indices() {
        escaped += match one {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            one if one < ' ' => 6,
            one => one.len_utf8(),
        };
        if escaped > MOST {
            return text.get(..at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_said_to_be() {
        let long = "a".repeat(MOST + 1);
        let mut details = Map::new();
        for member in ["input", "output", "parameters"] {
            details.insert(member.to_owned(), json!(long));
        }
        details.insert("assignedVariables".to_owned(), json!({"a": long}));
        details.insert("name".to_owned(), json!("S"));
        shorten(&mut details);
        for member in ["input", "output", "parameters"] {
            assert_eq!(details[member].as_str().map(str::len), Some(MOST), "{member}");
        }
        for said in ["inputDetails", "outputDetails", "assignedVariablesDetails"] {
            assert_eq!(details[said], json!({"truncated": true}), "{said}");
        }
        assert_eq!((details.get("assignedVariables"), details.len()), (None, 7));
    }

    #[test]
    fn what_is_too_long_once_it_is_escaped_is_cut_between_characters() {
        assert_eq!(cut("short"), None);
        assert_eq!(cut(&"a".repeat(MOST)), None);
        assert_eq!(cut(&"a".repeat(MOST + 1)).map(str::len), Some(MOST));
        assert_eq!(cut(&"\"".repeat(MOST)).map(str::len), Some(MOST / 2));
        let umlauts = "a".to_owned() + &"\u{fc}".repeat(MOST / 2);
        assert_eq!(cut(&umlauts).map(str::len), Some(MOST - 1));
    }
}
