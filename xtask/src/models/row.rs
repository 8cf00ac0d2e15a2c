//! One row of a generated table. Only what differs from its type's `BASE` is written, so that a new column
//! leaves the tables of services without it as they are.

use serde_json::Value;

pub(crate) struct Row(String, &'static str);

impl Row {
    pub(crate) fn new(ty: &'static str) -> Self {
        Self(format!("{ty} {{ "), ty)
    }

    pub(crate) fn raw(&mut self, column: &str, value: String) {
        self.0.push_str(&format!("{column}: {value}, "));
    }

    pub(crate) fn text(&mut self, column: &str, value: &str) {
        self.raw(column, format!("{value:?}"));
    }

    pub(crate) fn opt_text(&mut self, column: &str, value: &Value) {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
            self.text(column, text);
        }
    }

    pub(crate) fn flag(&mut self, column: &str, value: bool) {
        if value {
            self.raw(column, "true".to_owned());
        }
    }

    /// A URI, or a URI and its prefix.
    pub(crate) fn namespace(&mut self, value: &Value) {
        let (uri, prefix) = match value {
            Value::String(uri) => (uri.as_str(), ""),
            other => (
                other["uri"].as_str().unwrap_or_default(),
                other["prefix"].as_str().unwrap_or_default(),
            ),
        };
        if !uri.is_empty() {
            self.raw(
                "namespace",
                format!("Namespace {{ uri: {uri:?}, prefix: {prefix:?} }}"),
            );
        }
    }

    pub(crate) fn end(self) -> String {
        format!("{}..{}::BASE }}", self.0, self.1)
    }
}
