//! Filters of describe calls: a name that the operation documents, and patterns of which one must fit one of
//! the resource's values. Source: "Filter" in the EC2 API reference and "List and filter using the API".

use roadstead_api_ec2::Filter;

use crate::error::{self, Result};
use crate::records::Tags;

/// EC2 takes at most so many values in one request.
const MAX_VALUES: usize = 200;

/// Checked filters of one request.
#[derive(Debug)]
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

/// The values a resource has under a filter's name.
pub(crate) type Values = Vec<String>;

impl Filters {
    /// `known` are the operation's filters; `tag:<key>` is one of them if `tag:` is, and `tag-value` if `tag-key` is: the
    /// reference lists it no more, and scripts of its time still use it.
    pub(crate) fn new(filters: Option<Vec<Filter>>, known: &[&str]) -> Result<Self> {
        let mut checked = Vec::new();
        for filter in filters.unwrap_or_default() {
            let Filter { name, values } = filter;
            let name = name.unwrap_or_else(|| "null".to_owned());
            let is_known = known.contains(&name.as_str()) && name != "tag:"
                || known.contains(&"tag-key") && name == "tag-value"
                || known.contains(&"tag:") && name.strip_prefix("tag:").is_some_and(|key| !key.is_empty());
            if !is_known {
                return Err(error::invalid_value(format!(
                    "The filter '{}' is invalid",
                    error::clip(&name)
                )));
            }
            checked.push((name, values.unwrap_or_default()));
        }
        let values: usize = checked.iter().map(|(_, values)| values.len()).sum();
        if values > MAX_VALUES {
            return Err(error::other(
                "FilterLimitExceeded",
                format!("The maximum number of filter values specified on a single call is {MAX_VALUES}"),
            ));
        }
        Ok(Self(checked))
    }

    /// Whether the resource passes all filters. `values` is asked for every name but those of tags.
    pub(crate) fn pass(&self, tags: &Tags, values: impl Fn(&str) -> Values) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let has = match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).cloned().into_iter().collect(),
                None if name == "tag-key" => tags.keys().cloned().collect(),
                None if name == "tag-value" => tags.values().cloned().collect(),
                None => values(name),
            };
            has.iter()
                .any(|value| patterns.iter().any(|pattern| fits(pattern, value)))
        })
    }

    /// What the listing depends on, for page tokens.
    pub(crate) fn scope(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// `*` is any number of characters, `?` is none or one, a backslash takes the next character as it is.
fn fits(pattern: &str, value: &str) -> bool {
    enum Part {
        Char(char),
        Any,
        Maybe,
    }
    let mut parts = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::Maybe,
            '\\' => Part::Char(chars.next().unwrap_or('\\')),
            c => Part::Char(c),
        });
    }
    // at[i]: whether the first i parts fit what was read so far.
    let skip = |at: &mut [bool]| {
        for (i, part) in parts.iter().enumerate() {
            at[i + 1] |= at[i] && matches!(part, Part::Any | Part::Maybe);
        }
    };
    let mut at = vec![false; parts.len() + 1];
    at[0] = true;
    skip(&mut at);
    for c in value.chars() {
        let mut next = vec![false; parts.len() + 1];
        for (i, part) in parts.iter().enumerate() {
            match part {
                _ if !at[i] => {}
                Part::Char(wanted) => next[i + 1] |= *wanted == c,
                Part::Maybe => next[i + 1] = true,
                Part::Any => next[i] = true,
            }
        }
        skip(&mut next);
        at = next;
    }
    at[parts.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(name: &str, values: &[&str]) -> Filter {
        Filter {
            name: Some(name.to_owned()),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
        }
    }

    #[test]
    fn patterns_fit_as_documented() {
        let check = |pattern: &str, value: &str, wanted: bool| {
            assert_eq!(fits(pattern, value), wanted, "{pattern} {value}")
        };
        check("web", "web", true);
        check("web", "Web", false);
        check("web*", "web", true);
        check("web*", "web-1", true);
        check("*web*", "my-web-1", true);
        check("w?b", "web", true);
        check("w?b", "wb", true);
        check("w?b", "weeb", false);
        check("we??", "web", true);
        check("a\\*b", "a*b", true);
        check("a\\*b", "axb", false);
        check("", "", true);
        check("*", "", true);
        check("", "x", false);
        check("a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false);
    }

    #[test]
    fn unknown_filters_are_refused_and_all_must_fit() {
        let known = ["vpc-id", "tag:", "tag-key"];
        for name in ["color", "tag:", "VPC-ID"] {
            let wrong = Filters::new(Some(vec![filter(name, &["x"])]), &known).expect_err("unknown");
            assert_eq!(wrong.code, "InvalidParameterValue");
            assert_eq!(wrong.message, format!("The filter '{name}' is invalid"));
        }
        let tags = Tags::from([("Name".to_owned(), "web".to_owned())]);
        let check = |filters: Vec<Filter>, wanted: bool| {
            let filters = Filters::new(Some(filters), &known).expect("known filters");
            assert_eq!(
                filters.pass(&tags, |_| vec!["vpc-1".to_owned()]),
                wanted,
                "{filters:?}"
            );
        };
        check(vec![], true);
        check(vec![filter("vpc-id", &["vpc-2", "vpc-1"])], true);
        check(
            vec![filter("vpc-id", &["vpc-1"]), filter("tag:Name", &["we?"])],
            true,
        );
        check(
            vec![filter("vpc-id", &["vpc-1"]), filter("tag:Name", &["db"])],
            false,
        );
        check(vec![filter("tag-key", &["Na*"])], true);
        check(vec![filter("tag-value", &["w*"])], true);
        check(vec![filter("tag-value", &["Name"])], false);
        let wrong = Filters::new(Some(vec![filter("tag-value", &["w"])]), &["vpc-id"]);
        wrong.expect_err("resources without tags have no tag values");
        check(vec![filter("tag:Other", &["*"])], false);
        check(vec![filter("vpc-id", &[])], false);
        let many: Vec<&str> = vec!["x"; MAX_VALUES + 1];
        let wrong = Filters::new(Some(vec![filter("vpc-id", &many)]), &known).expect_err("too many");
        assert_eq!(wrong.code, "FilterLimitExceeded");
    }
}
