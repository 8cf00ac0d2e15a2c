//! Members in headers: lists with their quotes, times with their commas, JSON in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::check::Violation;
use crate::model::{Kind, Member, ServiceModel};
use crate::text::{self, TimeFormat};
use crate::value::Value;

/// A member from the header's lines.
///
/// # Errors
/// The text is not of the member's type.
pub(super) fn read(
    model: &ServiceModel,
    member: &Member,
    lines: &[&str],
    path: &str,
) -> Result<Value, Violation> {
    let kind = &model.shape(member.shape).kind;
    if let Kind::List { member: element, .. } = kind {
        let element = &model.shape(element.shape).kind;
        let dates = matches!(element, Kind::Timestamp { .. })
            && TimeFormat::of(None, element, TimeFormat::HttpDate) == TimeFormat::HttpDate;
        return lines
            .iter()
            .flat_map(|line| if dates { split_dates(line) } else { split(line) })
            .map(|part| text::scalar_at(element, &part, path))
            .collect::<Result<_, _>>()
            .map(Value::List);
    }
    let line = lines.join(", ");
    if member.json_value {
        let decoded = STANDARD
            .decode(line.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        return decoded.map(Value::Str).ok_or_else(|| Violation::Type {
            path: path.to_owned(),
            wanted: "JSON in base64",
            found: "string".to_owned(),
        });
    }
    text::scalar_at(kind, &line, path)
}

/// The header's text, or nothing where there is nothing to say.
pub(super) fn write(model: &ServiceModel, member: &Member, value: &Value) -> Option<String> {
    let kind = &model.shape(member.shape).kind;
    if let (Kind::List { member: element, .. }, Value::List(items)) = (kind, value) {
        let element = &model.shape(element.shape).kind;
        let format = TimeFormat::of(None, element, TimeFormat::HttpDate);
        let parts: Vec<String> = items
            .iter()
            .filter_map(|item| {
                let text = text::print(item, format)?;
                Some(if matches!(item, Value::Str(_)) {
                    quote(text)
                } else {
                    text
                })
            })
            .collect();
        return (!parts.is_empty()).then(|| parts.join(", "));
    }
    if let (true, Value::Str(json)) = (member.json_value, value) {
        return Some(STANDARD.encode(json));
    }
    text::print(
        value,
        TimeFormat::of(member.timestamp, kind, TimeFormat::HttpDate),
    )
}

fn quote(text: String) -> String {
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text
    }
}

/// At commas outside of quotes.
fn split(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => part.extend(chars.next()),
            '"' if quoted => quoted = false,
            '"' if part.trim().is_empty() => {
                part.clear();
                (quoted, was_quoted) = (true, true);
            }
            ',' if !quoted => {
                parts.push(finish(&mut part, was_quoted));
                was_quoted = false;
            }
            c if was_quoted && !quoted && c.is_whitespace() => {}
            c => part.push(c),
        }
    }
    if !part.is_empty() || was_quoted || !parts.is_empty() {
        parts.push(finish(&mut part, was_quoted));
    }
    parts
}

fn finish(part: &mut String, quoted: bool) -> String {
    let whole = std::mem::take(part);
    if quoted { whole } else { whole.trim().to_owned() }
}

/// Every date has a comma of its own.
fn split_dates(line: &str) -> Vec<String> {
    let parts: Vec<&str> = line.split(',').collect();
    parts
        .chunks(2)
        .map(|pair| pair.join(",").trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_of_quotes() {
        for (line, parts) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a, b ,c", &["a", "b", "c"]),
            ("\"b,c\", \"\\\"def\\\"\", a", &["b,c", "\"def\"", "a"]),
            ("a,", &["a", ""]),
            ("\" x \"", &[" x "]),
        ] {
            assert_eq!(split(line), parts, "{line}");
        }
        assert_eq!(
            split_dates("Mon, 16 Dec 2019 23:48:18 GMT, Tue, 17 Dec 2019 23:48:18 GMT"),
            ["Mon, 16 Dec 2019 23:48:18 GMT", "Tue, 17 Dec 2019 23:48:18 GMT"]
        );
    }
}
