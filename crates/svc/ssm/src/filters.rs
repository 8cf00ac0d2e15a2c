//! What a listing is narrowed by. Source: the API reference, ParameterStringFilter.

use roadstead_api_ssm::ParameterStringFilter;

use crate::error::{Error, Result};
use crate::names;
use crate::records::{Parameter, TEXT};

/// Which operation filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Describe,
    ByPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Equals,
    BeginsWith,
    Contains,
}

/// One filter. Each is met by any of its values; all of a request's have to be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Text(Of, How, Vec<String>),
    Path {
        recursive: bool,
        paths: Vec<String>,
    },
    /// Without values, any value will do.
    Tag(String, How, Vec<String>),
    Label(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Name,
    Type,
    KeyId,
    Tier,
    DataType,
}

pub(crate) fn read(filters: Vec<ParameterStringFilter>, place: Place) -> Result<Vec<Filter>> {
    let mut keys: Vec<String> = Vec::new();
    let mut read = Vec::new();
    for ParameterStringFilter { key, option, values } in filters {
        if keys.contains(&key) {
            return Err(Error::FilterKey(format!(
                "The following filters are duplicated in the request: {key}. A request can contain only one instance of a \
                 specific filter."
            )));
        }
        read.push(one(&key, option.as_deref(), values, place)?);
        keys.push(key);
    }
    Ok(read)
}

fn one(key: &str, option: Option<&str>, values: Option<Vec<String>>, place: Place) -> Result<Filter> {
    let needed = || {
        values.clone().filter(|values| !values.is_empty()).ok_or_else(|| {
            Error::FilterValue(format!(
                "The following filter values are missing : null for filter key {key}"
            ))
        })
    };
    let how = |contains: bool| match option {
        None | Some("Equals") => Ok(How::Equals),
        Some("BeginsWith") => Ok(How::BeginsWith),
        Some("Contains") if contains => Ok(How::Contains),
        Some(other) if contains => Err(Error::FilterOption(
            other.to_owned(),
            "[BeginsWith, Contains, Equals]",
        )),
        Some(other) => Err(Error::FilterOption(other.to_owned(), "[BeginsWith, Equals]")),
    };
    match (key, place) {
        ("Type", _) => Ok(Filter::Text(Of::Type, how(false)?, needed()?)),
        ("KeyId", _) => Ok(Filter::Text(Of::KeyId, how(false)?, needed()?)),
        ("Label", Place::ByPath) => match option {
            None | Some("Equals") => Ok(Filter::Label(needed()?)),
            Some(other) => Err(Error::FilterOption(other.to_owned(), "[Equals]")),
        },
        ("Name", Place::Describe) => Ok(Filter::Text(Of::Name, how(true)?, needed()?)),
        ("Tier", Place::Describe) => Ok(Filter::Text(Of::Tier, how(false)?, needed()?)),
        ("DataType", Place::Describe) => Ok(Filter::Text(Of::DataType, how(false)?, needed()?)),
        ("Path", Place::Describe) => {
            let recursive = match option {
                Some("Recursive") => true,
                None | Some("OneLevel") => false,
                Some(other) => return Err(Error::FilterOption(other.to_owned(), "[Recursive, OneLevel]")),
            };
            let paths = needed()?;
            if let Some(bad) = paths
                .iter()
                .find(|path| !path.starts_with('/') || path.contains("//"))
            {
                return Err(Error::FilterValue(format!(
                    "The path {bad:?} does not begin with a slash, or has two in a row."
                )));
            }
            Ok(Filter::Path { recursive, paths })
        }
        (tag, Place::Describe) if tag.starts_with("tag:") => Ok(Filter::Tag(
            tag["tag:".len()..].to_owned(),
            how(false)?,
            values.unwrap_or_default(),
        )),
        (other, _) => Err(Error::FilterKey(format!(
            "The following filter key is not valid here: {other}."
        ))),
    }
}

impl Filter {
    pub(crate) fn fits(&self, parameter: &Parameter) -> bool {
        let any = |how: How, values: &[String], text: &str| {
            values.iter().any(|value| match how {
                How::Equals => text == value,
                How::BeginsWith => text.starts_with(value.as_str()),
                How::Contains => text.contains(value.as_str()),
            })
        };
        match self {
            // With or without the slash that hierarchies begin with.
            Self::Text(Of::Name, how, values) => {
                let name = parameter.name.as_str();
                any(*how, values, name) || name.strip_prefix('/').is_some_and(|name| any(*how, values, name))
            }
            Self::Text(Of::Type, how, values) => any(*how, values, &parameter.kind.shown().to_string()),
            Self::Text(Of::KeyId, how, values) => {
                parameter.kind.key_id().is_some_and(|key| any(*how, values, &key))
            }
            Self::Text(Of::Tier, how, values) => {
                let tier = parameter
                    .latest()
                    .map(|(_, version)| version.tier.shown().to_string());
                tier.is_some_and(|tier| any(*how, values, &tier))
            }
            Self::Text(Of::DataType, how, values) => any(*how, values, TEXT),
            Self::Path { recursive, paths } => paths
                .iter()
                .any(|path| names::is_below(&parameter.name, path, *recursive)),
            Self::Tag(key, how, values) => {
                let value = parameter.tags.get(key);
                value.is_some_and(|value| values.is_empty() || any(*how, values, value))
            }
            Self::Label(labels) => labels.iter().any(|label| parameter.labelled(label).is_some()),
        }
    }
}
