//! Which operation a method and a path mean. Templates compete: what is written out goes before a label, a
//! label before a greedy one, a template that names query parameters before one that does not.

use percent_encoding::percent_decode_str;

use crate::model::{Kind, Location, Operation, ServiceModel};

/// A part of a path template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
    /// The rest of the path, slashes included, up to what follows it in the template.
    Greedy(&'static str),
}

/// `/things/{id}/parts/{path+}?list-type=2`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    /// Parameters that must be there, with the value they must have if one is written.
    query: Vec<(&'static str, Option<&'static str>)>,
}

impl Template {
    pub(crate) fn new(uri: &'static str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let segment = |text: &'static str| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            Some(label) => match label.strip_suffix('+') {
                Some(label) => Segment::Greedy(label),
                None => Segment::Label(label),
            },
            None => Segment::Literal(text),
        };
        let parameter = |text: &'static str| match text.split_once('=') {
            Some((name, value)) if !value.is_empty() => (name, Some(value)),
            Some((name, _)) => (name, None),
            None => (text, None),
        };
        Self {
            segments: split(path).into_iter().map(segment).collect(),
            query: query
                .split('&')
                .filter(|q| !q.is_empty())
                .map(parameter)
                .collect(),
        }
    }

    /// The labels of a path that fits, percent-decoded; `None` if it does not fit.
    pub(crate) fn labels(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let greedy = self.segments.iter().position(|s| matches!(s, Segment::Greedy(_)));
        let Some(greedy) = greedy else {
            return fit(&self.segments, &split(path));
        };
        // Before the greedy label from the front, after it from the back, and it takes what is between.
        let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let (before, after) = (&self.segments[..greedy], &self.segments[greedy + 1..]);
        if parts.len() < before.len() + after.len() + 1 {
            return None;
        }
        let end = parts.len() - after.len();
        let mut labels = fit(before, &parts[..before.len()])?;
        let rest = decode(&parts[before.len()..end].join("/"))?;
        if rest.is_empty() {
            return None;
        }
        if let Segment::Greedy(name) = self.segments[greedy] {
            labels.push((name, rest));
        }
        labels.extend(fit(after, &parts[end..])?);
        Some(labels)
    }

    fn asks_for(&self, query: &[(String, String)]) -> bool {
        self.query.iter().all(|(name, value)| {
            query
                .iter()
                .any(|(key, found)| key == name && value.is_none_or(|value| value == found))
        })
    }

    /// Whether a query parameter is part of the template.
    pub(crate) fn owns(&self, parameter: &str) -> bool {
        self.query.iter().any(|(name, _)| *name == parameter)
    }
}

/// Without the leading slash and without a trailing one.
fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        Vec::new()
    } else {
        path.split('/').collect()
    }
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

fn fit(segments: &[Segment], parts: &[&str]) -> Option<Vec<(&'static str, String)>> {
    if segments.len() != parts.len() {
        return None;
    }
    let mut labels = Vec::new();
    for (segment, part) in segments.iter().zip(parts) {
        let part = decode(part)?;
        match segment {
            Segment::Literal(literal) if *literal == part => {}
            Segment::Label(name) if !part.is_empty() => labels.push((*name, part)),
            _ => return None,
        }
    }
    Some(labels)
}

/// Query parameters, percent-decoded, in order. `+` is a space.
pub(crate) fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((
                decode(&name.replace('+', " "))?,
                decode(&value.replace('+', " "))?,
            ))
        })
        .collect()
}

#[derive(Debug)]
struct Route {
    operation: &'static Operation,
    template: Template,
    /// Required members at home in the query string or a header, which tell apart what shares a path.
    needs: Vec<(Location, &'static str)>,
}

/// The operations of a REST service by method and path.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Route>,
    /// Of operations that do not exist here: method, path, name.
    absent: Vec<(&'static str, Template, &'static str)>,
}

impl Router {
    pub fn new(model: &'static ServiceModel) -> Self {
        let mut routes: Vec<Route> = model
            .operations
            .iter()
            .map(|operation| Route {
                operation,
                template: Template::new(operation.uri),
                needs: needs(model, operation),
            })
            .collect();
        // Stable, so that the table's order decides between equals.
        routes.sort_by(|a, b| {
            let kinds = |route: &Route| -> Vec<u8> {
                let rank = |segment: &Segment| match segment {
                    Segment::Literal(_) => 0,
                    Segment::Label(_) => 1,
                    Segment::Greedy(_) => 2,
                };
                route.template.segments.iter().map(rank).collect()
            };
            let size = |route: &Route| (route.template.segments.len(), route.template.query.len());
            kinds(a)
                .cmp(&kinds(b))
                .then(size(b).cmp(&size(a)))
                .then(b.needs.len().cmp(&a.needs.len()))
        });
        let absent = model.absent_routes.iter();
        let absent = absent.map(|route| (route.method, Template::new(route.uri), route.name));
        Self {
            routes,
            absent: absent.collect(),
        }
    }

    /// The operation of the official model that a request would mean if it existed here.
    pub fn absent(&self, method: &http::Method, path: &str, query: &str) -> Option<&'static str> {
        let query = parameters(query)?;
        let mut all = self.absent.iter();
        let found = all.find(|(verb, template, _)| {
            *verb == method.as_str() && template.asks_for(&query) && template.labels(path).is_some()
        });
        found.map(|(_, _, name)| *name)
    }

    /// The operation that a request means: the most specific one whose required members are all there, else
    /// the most specific one whose path fits, so that what is missing is said by name.
    pub fn find(
        &self,
        method: &http::Method,
        path: &str,
        query: &str,
        headers: &http::HeaderMap,
    ) -> Option<&'static Operation> {
        let query = parameters(query)?;
        let fitting: Vec<&Route> = self
            .routes
            .iter()
            .filter(|route| route.operation.method == method.as_str())
            .filter(|route| route.template.asks_for(&query) && route.template.labels(path).is_some())
            .collect();
        let complete = |route: &&&Route| {
            route.needs.iter().all(|(location, name)| match location {
                Location::Header => headers.contains_key(*name),
                _ => query.iter().any(|(key, _)| key == name),
            })
        };
        let best = fitting.iter().find(complete).or_else(|| {
            let plain = |route: &&&Route| route.needs.is_empty();
            fitting.iter().find(plain).or(fitting.first())
        });
        best.map(|route| route.operation)
    }
}

fn needs(model: &ServiceModel, operation: &Operation) -> Vec<(Location, &'static str)> {
    let Some(Kind::Structure { members, .. }) = operation.input.map(|shape| &model.shape(shape).kind) else {
        return Vec::new();
    };
    members
        .iter()
        .filter(|member| member.required)
        .filter(|member| matches!(member.location, Location::Header | Location::QueryString))
        .map(|member| (member.location, member.wire_name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_take_paths_apart() {
        for (template, path, labels) in [
            ("/", "/", Some(vec![])),
            ("/a", "/a/", Some(vec![])),
            ("/a", "/b", None),
            ("/a", "/a/b", None),
            ("/a/{b}", "/a/x%2Fy%20z", Some(vec![("b", "x/y z")])),
            ("/a/{b}", "/a//", None),
            (
                "/{b}/{k+}",
                "/bucket/a/b/c/",
                Some(vec![("b", "bucket"), ("k", "a/b/c/")]),
            ),
            (
                "/{b}/{k+}",
                "/bucket//c",
                Some(vec![("b", "bucket"), ("k", "/c")]),
            ),
            ("/{b}/{k+}", "/bucket/", None),
            ("/{b}", "/bucket/", Some(vec![("b", "bucket")])),
            ("/x/{p+}/end", "/x/1/2/end", Some(vec![("p", "1/2")])),
            ("/x/{p+}/end", "/x/1/2/other", None),
            ("/{b}", "/%ff", None),
        ] {
            let labels: Option<Vec<(&str, String)>> = labels.map(|labels| {
                labels
                    .into_iter()
                    .map(|(name, text)| (name, text.to_owned()))
                    .collect()
            });
            assert_eq!(Template::new(template).labels(path), labels, "{template} {path}");
        }
    }

    static OPERATIONS: &[Operation] = &[
        route("Any", "GET", "/{b}"),
        route("Key", "GET", "/{b}/{k+}"),
        route("Tagging", "GET", "/{b}/{k+}?tagging"),
        route("Two", "GET", "/{b}?list-type=2"),
        route("Put", "PUT", "/{b}"),
        route("Fixed", "GET", "/fixed"),
        route("Part", "GET", "/{b}/part"),
    ];
    static MODEL: ServiceModel = ServiceModel {
        operations: OPERATIONS,
        absent_routes: &[crate::AbsentRoute {
            name: "Later",
            method: "DELETE",
            uri: "/{b}/later?all",
        }],
        ..ServiceModel::BASE
    };

    #[test]
    fn what_is_not_built_is_known_by_its_route() {
        let router = Router::new(&MODEL);
        for (method, path, query, expected) in [
            ("DELETE", "/x/later", "all", Some("Later")),
            ("DELETE", "/x/later", "", None),
            ("GET", "/x/later", "all", None),
        ] {
            let method = method.parse().expect("a method");
            assert_eq!(
                router.absent(&method, path, query),
                expected,
                "{method} {path}?{query}"
            );
        }
    }

    const fn route(name: &'static str, method: &'static str, uri: &'static str) -> Operation {
        Operation {
            name,
            method,
            uri,
            ..Operation::BASE
        }
    }

    #[test]
    fn the_most_specific_route_wins() {
        let router = Router::new(&MODEL);
        for (method, path, query, expected) in [
            ("GET", "/x", "", Some("Any")),
            ("GET", "/fixed", "", Some("Fixed")),
            ("GET", "/x", "list-type=2&max-keys=1", Some("Two")),
            ("GET", "/x", "list-type=1", Some("Any")),
            ("GET", "/x/y/z", "", Some("Key")),
            ("GET", "/x/part", "", Some("Part")),
            ("GET", "/x/y", "tagging", Some("Tagging")),
            ("GET", "/x/y", "tagging=", Some("Tagging")),
            ("PUT", "/x", "", Some("Put")),
            ("DELETE", "/x", "", None),
            ("GET", "/", "", None),
        ] {
            let method = method.parse().expect("a method");
            let found = router.find(&method, path, query, &http::HeaderMap::new());
            assert_eq!(found.map(|operation| operation.name), expected, "{path}?{query}");
        }
    }
}
