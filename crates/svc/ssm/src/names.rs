//! What a parameter is called. Source: the user guide, "Requirements and constraints for parameter names".

use roadstead_base::{Arn, Partition};

use crate::error::{Error, Result};

const MAX_LEVELS: usize = 15;
/// With the ARN around it.
const MAX_ARN: usize = 1011;

/// Which version of a parameter is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Latest,
    Version(i64),
    Label(String),
}

/// How a caller points at a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Names it may be: an ARN does not tell `/a` from `a`.
    pub(crate) candidates: Vec<String>,
    pub(crate) selector: Selector,
    /// As it was given, `:3`, to be shown.
    pub(crate) shown: Option<String>,
}

pub(crate) fn arn(partition: &Partition, name: &str) -> String {
    let resource = format!("parameter/{}", name.strip_prefix('/').unwrap_or(name));
    Arn::new("ssm", &partition.region, &partition.account, resource).to_string()
}

fn is_name(name: &str) -> bool {
    let character = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    !name.is_empty() && name.chars().all(character)
}

/// A name that a new parameter may have; spaces around it are taken off.
pub(crate) fn for_new(partition: &Partition, given: &str) -> Result<String> {
    let name = given.trim_matches(' ');
    let parts = name.strip_prefix('/').unwrap_or(name);
    let reserved = |prefix: &str| {
        parts
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let in_hierarchy = name.starts_with('/') && parts.contains('/');
    if !in_hierarchy && (reserved("aws") || reserved("ssm")) {
        return Err(Error::validation(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    if !is_name(name) || parts.split('/').any(str::is_empty) || reserved("ssm") {
        return Err(Error::validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 \
             symbols .-_",
        ));
    }
    if reserved("aws") {
        return Err(Error::Reserved(name.to_owned()));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(Error::validation(
            "Parameter name must be a fully qualified name.",
        ));
    }
    if parts.split('/').count() > MAX_LEVELS {
        return Err(Error::TooDeep(name.to_owned()));
    }
    if arn(partition, name).len() > MAX_ARN {
        return Err(Error::validation(format!(
            "Parameter name: with its ARN, it can have at most {MAX_ARN} characters."
        )));
    }
    Ok(name.to_owned())
}

/// The name of a parameter that may be there. Names that no parameter can have are not found.
pub(crate) fn existing(given: &str) -> Result<String> {
    let name = given.trim_matches(' ');
    if is_name(name) {
        Ok(name.to_owned())
    } else {
        Err(Error::validation(format!("Invalid parameter name {name:?}.")))
    }
}

impl Reference {
    /// `name`, `name:version`, `name:label`, or the same with an ARN for the name.
    pub(crate) fn parse(partition: &Partition, given: &str) -> Result<Self> {
        let given = given.trim_matches(' ');
        let invalid = || {
            Error::validation(
                "Invalid parameter name. Please use correct syntax for referencing a version/label  \
                 <name>:<version/label>",
            )
        };
        let (candidates, selector) = match given.strip_prefix("arn:") {
            None => {
                let (name, selector) = given
                    .split_once(':')
                    .map_or((given, None), |(name, rest)| (name, Some(rest)));
                (vec![name.to_owned()], selector.map(str::to_owned))
            }
            Some(_) => {
                let arn: Arn = given.parse().map_err(|_| invalid())?;
                let resource = arn.resource.as_str();
                let resource = resource
                    .strip_prefix("parameter/")
                    .filter(|_| arn.service == "ssm");
                let resource = resource.ok_or_else(invalid)?;
                let (name, selector) = resource
                    .split_once(':')
                    .map_or((resource, None), |(name, rest)| (name, Some(rest)));
                if arn.region != partition.region.to_string() || arn.account != partition.account.to_string()
                {
                    return Err(Error::NotFound(given.to_owned()));
                }
                let path = format!("/{name}");
                let names = if name.contains('/') {
                    vec![path]
                } else {
                    vec![name.to_owned(), path]
                };
                (names, selector.map(str::to_owned))
            }
        };
        if !candidates.iter().all(|name| is_name(name)) {
            return Err(invalid());
        }
        let chosen = match selector.as_deref() {
            None => Selector::Latest,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Selector::Version(text.parse().map_err(|_| invalid())?)
            }
            Some(text) if is_label_text(text) => Selector::Label(text.to_owned()),
            Some(_) => return Err(invalid()),
        };
        Ok(Self {
            candidates,
            selector: chosen,
            shown: selector.map(|text| format!(":{text}")),
        })
    }
}

fn is_label_text(label: &str) -> bool {
    let character = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !label.is_empty() && label.len() <= 100 && label.chars().all(character)
}

/// Source: the API reference, LabelParameterVersion.
pub(crate) fn is_label(label: &str) -> bool {
    let begins = |prefix: &str| {
        label
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    is_label_text(label)
        && !label.starts_with(|c: char| c.is_ascii_digit())
        && !begins("aws")
        && !begins("ssm")
}

/// Whether a parameter lies below a path: anywhere, or right below it. Below `/` are those outside of hierarchies, too.
pub(crate) fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    let rest = if path.is_empty() {
        Some(name.strip_prefix('/').unwrap_or(name))
    } else {
        name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'))
    };
    rest.is_some_and(|rest| !rest.is_empty() && (recursive || !rest.contains('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Partition {
        Partition {
            account: "000000000000".parse().expect("an account"),
            region: "us-east-1".parse().expect("a region"),
        }
    }

    #[test]
    fn new_names_keep_the_rules() {
        for (given, name) in [("a", "a"), (" /a/b.c_d-E9 ", "/a/b.c_d-E9"), ("/x/aws", "/x/aws")] {
            assert_eq!(for_new(&here(), given).expect(given), name);
        }
        let deep = "/a".repeat(15);
        assert_eq!(for_new(&here(), &deep).expect("fifteen levels"), deep);
        for (given, words) in [
            ("", "can't be prefixed"),
            ("a b", "can't be prefixed"),
            ("aws", "can't be prefixed with \"aws\" or \"ssm\""),
            ("/aws", "can't be prefixed with \"aws\" or \"ssm\""),
            ("aws/x", "can't be prefixed with \"aws\" or \"ssm\""),
            ("/AWS/x", "No access to reserved parameter name: /AWS/x."),
            ("/awsome/x", "No access to reserved parameter name: /awsome/x."),
            ("ssm-x", "can't be prefixed with \"aws\" or \"ssm\""),
            ("/ssm/x", "can't be prefixed with \"ssm\""),
            ("/a//b", "can't be prefixed"),
            ("/a/", "can't be prefixed"),
            ("ä", "can't be prefixed"),
            ("a/b", "fully qualified"),
            ("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "at most 15 levels"),
            (&"n".repeat(1000), "at most 1011"),
        ] {
            let error = for_new(&here(), given).expect_err(given).to_string();
            assert!(error.contains(words), "{given}: {error}");
        }
    }

    #[test]
    fn references_are_names_and_arns_with_version_or_label() {
        let prefix = "arn:aws:ssm:us-east-1:000000000000:parameter";
        let of = |names: &[&str], selector: Selector| {
            (names.iter().map(|name| (*name).to_owned()).collect(), selector)
        };
        for (given, wanted) in [
            ("a".to_owned(), of(&["a"], Selector::Latest)),
            ("/a/b:12".to_owned(), of(&["/a/b"], Selector::Version(12))),
            (
                "/a/b:prod.1".to_owned(),
                of(&["/a/b"], Selector::Label("prod.1".into())),
            ),
            (format!("{prefix}/a"), of(&["a", "/a"], Selector::Latest)),
            (format!("{prefix}/a/b:3"), of(&["/a/b"], Selector::Version(3))),
        ] {
            let found = Reference::parse(&here(), &given).expect(&given);
            assert_eq!((found.candidates, found.selector), wanted, "{given}");
        }
        for (given, words) in [
            ("a b", "Invalid parameter name"),
            ("a:", "Invalid parameter name"),
            ("a:b:c", "Invalid parameter name"),
            ("a:99999999999999999999", "Invalid parameter name"),
            ("arn:aws:ssm", "Invalid parameter name"),
            (
                "arn:aws:ecs:us-east-1:000000000000:parameter/a",
                "Invalid parameter name",
            ),
            ("arn:aws:ssm:eu-west-1:000000000000:parameter/a", "not found"),
        ] {
            let error = Reference::parse(&here(), given).expect_err(given).to_string();
            assert!(error.contains(words), "{given}: {error}");
        }
    }

    #[test]
    fn labels_and_paths() {
        for (label, good) in [
            ("prod", true),
            ("a.b-c_9", true),
            ("9a", false),
            ("AWSx", false),
            ("ssm", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(is_label(label), good, "{label}");
        }
        for (name, path, right_below, anywhere) in [
            ("/a/b", "/a", true, true),
            ("/a/b", "/a/", true, true),
            ("/a/b/c", "/a", false, true),
            ("/ab", "/a", false, false),
            ("/a", "/a", false, false),
            ("/a", "/", true, true),
            ("a", "/", true, true),
            ("/a/b", "/", false, true),
        ] {
            assert_eq!(
                is_below(name, path, false),
                right_below,
                "{name} right below {path}"
            );
            assert_eq!(is_below(name, path, true), anywhere, "{name} below {path}");
        }
    }
}
