//! Whether a dashboard can be drawn, by "Dashboard body structure and syntax" of the API reference. What makes it
//! impossible is fatal; what would only be left out is a warning. Each message says where.

use serde_json::{Map, Value as Json};

/// Bytes of a body, and widgets in it.
const MAX_BODY: usize = 1024 * 1024;
const MAX_WIDGETS: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `/widgets/0/properties`
    pub path: String,
    pub text: String,
    pub fatal: bool,
}

type Object = Map<String, Json>;

/// What is wrong with a body, in the order in which it stands there.
pub(crate) fn check(body: &str) -> Vec<Message> {
    let mut found = Found(Vec::new());
    if body.len() > MAX_BODY {
        found.error("/", format!("The dashboard body is longer than {MAX_BODY} bytes"));
        return found.0;
    }
    let parsed: Json = match serde_json::from_str(body) {
        Ok(parsed) => parsed,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            found.error(
                "/",
                format!("The field DashboardBody must be a valid JSON object: line {line}, column {column}"),
            );
            return found.0;
        }
    };
    let Some(body) = parsed.as_object() else {
        found.error("/", "The field DashboardBody must be a valid JSON object");
        return found.0;
    };
    found.only(
        "",
        body,
        &["widgets", "start", "end", "periodOverride", "variables"],
    );
    match body.get("periodOverride").map(Json::as_str) {
        None | Some(Some("auto" | "inherit")) => {}
        Some(_) => found.error("/periodOverride", "Should be equal to one of: auto, inherit"),
    }
    for time in ["start", "end"] {
        if body.get(time).is_some_and(|value| !value.is_string()) {
            found.error(format!("/{time}"), "Should be string");
        }
    }
    if body.contains_key("end") && !body.contains_key("start") {
        found.error("/end", "Should have a start with it");
    }
    if body
        .get("variables")
        .is_some_and(|variables| !variables.is_array())
    {
        found.error("/variables", "Should be array");
    }
    match body.get("widgets") {
        None => found.error("/", "Should have required property 'widgets'"),
        Some(Json::Array(widgets)) if widgets.len() > MAX_WIDGETS => {
            found.error(
                "/widgets",
                format!("Should NOT have more than {MAX_WIDGETS} items"),
            );
        }
        Some(Json::Array(widgets)) => {
            for (index, widget) in widgets.iter().enumerate() {
                found.widget(&format!("/widgets/{index}"), widget);
            }
        }
        Some(_) => found.error("/widgets", "Should be array"),
    }
    found.0
}

struct Found(Vec<Message>);

impl Found {
    fn add(&mut self, path: impl Into<String>, text: impl Into<String>, fatal: bool) {
        self.0.push(Message {
            path: path.into(),
            text: text.into(),
            fatal,
        });
    }

    fn error(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.add(path, text, true);
    }

    /// Warns of what nobody knows.
    fn only(&mut self, path: &str, object: &Object, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.add(
                format!("{path}/{name}"),
                format!("Should NOT have additional properties: {name}"),
                false,
            );
        }
    }

    fn widget(&mut self, path: &str, widget: &Json) {
        let Some(widget) = widget.as_object() else {
            self.error(path, "Should be object");
            return;
        };
        self.only(path, widget, &["type", "x", "y", "width", "height", "properties"]);
        for (name, least, most) in [
            ("x", 0, 23),
            ("y", 0, i64::MAX),
            ("width", 1, 24),
            ("height", 1, 1000),
        ] {
            self.whole(path, widget, name, least, most);
        }
        if widget.contains_key("x") != widget.contains_key("y") {
            self.error(path, "Should have both of x and y, or none");
        }
        let kind = match widget.get("type") {
            None => {
                self.error(path, "Should have required property 'type'");
                return;
            }
            Some(kind) => kind.as_str().unwrap_or_default(),
        };
        let properties = match widget.get("properties") {
            Some(Json::Object(properties)) => properties,
            Some(_) => {
                self.error(format!("{path}/properties"), "Should be object");
                return;
            }
            None => {
                self.error(path, "Should have required property 'properties'");
                return;
            }
        };
        self.properties(kind, path, properties);
    }

    fn whole(&mut self, path: &str, object: &Object, name: &str, least: i64, most: i64) {
        let Some(value) = object.get(name) else { return };
        match value.as_i64() {
            None => self.error(format!("{path}/{name}"), "Should be integer"),
            Some(value) if value < least => {
                self.error(format!("{path}/{name}"), format!("Should be >= {least}"))
            }
            Some(value) if value > most => {
                self.error(format!("{path}/{name}"), format!("Should be <= {most}"))
            }
            Some(_) => {}
        }
    }

    fn properties(&mut self, kind: &str, widget: &str, properties: &Object) {
        let path = format!("{widget}/properties");
        match kind {
            "text" => self.text(&path, properties, "markdown"),
            "log" => {
                self.text(&path, properties, "query");
                self.text(&path, properties, "region");
            }
            "custom" => self.text(&path, properties, "endpoint"),
            "alarm" => match properties.get("alarms") {
                Some(Json::Array(alarms)) => self.texts(&format!("{path}/alarms"), alarms),
                Some(_) => self.error(format!("{path}/alarms"), "Should be array"),
                None => self.error(path, "Should have required property 'alarms'"),
            },
            "metric" => self.metric(&path, properties),
            "explorer" => match properties.get("metrics") {
                Some(Json::Array(_)) => {}
                Some(_) => self.error(format!("{path}/metrics"), "Should be array"),
                None => self.error(path, "Should have required property 'metrics'"),
            },
            _ => self.error(
                format!("{widget}/type"),
                "Should be equal to one of: alarm, custom, explorer, log, metric, text",
            ),
        }
    }

    fn text(&mut self, path: &str, properties: &Object, name: &str) {
        match properties.get(name) {
            Some(Json::String(_)) => {}
            Some(_) => self.error(format!("{path}/{name}"), "Should be string"),
            None => self.error(path, format!("Should have required property '{name}'")),
        }
    }

    fn texts(&mut self, path: &str, items: &[Json]) {
        for (index, item) in items.iter().enumerate() {
            if !item.is_string() {
                self.error(format!("{path}/{index}"), "Should be string");
            }
        }
    }

    fn metric(&mut self, path: &str, properties: &Object) {
        match properties.get("metrics") {
            None if properties.contains_key("annotations") => {}
            None => self.error(path, "Should have required property 'metrics' or 'annotations'"),
            Some(Json::Array(metrics)) => {
                for (index, metric) in metrics.iter().enumerate() {
                    self.row(&format!("{path}/metrics/{index}"), metric);
                }
            }
            Some(_) => self.error(format!("{path}/metrics"), "Should be array"),
        }
        if let Some(view) = properties.get("view") {
            let views = ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"];
            if !view.as_str().is_some_and(|view| views.contains(&view)) {
                self.error(
                    format!("{path}/view"),
                    format!("Should be equal to one of: {}", views.join(", ")),
                );
            }
        }
        if let Some(period) = properties.get("period")
            && !period.as_i64().is_some_and(|period| {
                matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period % 60 == 0)
            })
        {
            self.error(
                format!("{path}/period"),
                "Should be 1, 5, 10, 20, 30 or a multiple of 60",
            );
        }
        for name in ["region", "stat", "title"] {
            if properties.get(name).is_some_and(|value| !value.is_string()) {
                self.error(format!("{path}/{name}"), "Should be string");
            }
        }
    }

    /// `["Namespace", "Metric", "Dimension", "Value", {…}]`, or `[{"expression": …}]`.
    fn row(&mut self, path: &str, row: &Json) {
        let Some(row) = row.as_array() else {
            self.error(path, "Should be array");
            return;
        };
        let (texts, options) = match row.split_last() {
            Some((Json::Object(options), texts)) => (texts, Some(options)),
            _ => (row.as_slice(), None),
        };
        self.texts(path, texts);
        let computed = options.is_some_and(|options| options.contains_key("expression"));
        if texts.is_empty() && !computed {
            self.error(path, "Should have a namespace and a metric, or an expression");
        } else if !texts.is_empty() && texts.len() % 2 == 1 {
            self.error(path, "Should have a value for each dimension");
        }
    }
}
