//! The option `tag`: text with what is known of the container in it. Source: "Customize log driver output".

use crate::About;

/// The id as people see it.
const SHORT: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Id,
    FullId,
    Name,
    ImageName,
    DaemonName,
}

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Vec<Part>);

impl Default for Tag {
    fn default() -> Self {
        Self(vec![Part::Id])
    }
}

impl Tag {
    pub(crate) fn read(mut text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        while let Some((before, after)) = text.split_once("{{") {
            let (name, rest) = after
                .split_once("}}")
                .ok_or_else(|| "{{ is not closed".to_owned())?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(match name.trim() {
                ".ID" => Part::Id,
                ".FullID" => Part::FullId,
                ".Name" => Part::Name,
                ".ImageName" => Part::ImageName,
                ".DaemonName" => Part::DaemonName,
                other => {
                    return Err(format!(
                        "{{{{{other}}}}} is none of .ID, .FullID, .Name, .ImageName and .DaemonName, which is all that is known here"
                    ));
                }
            });
            text = rest;
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        match parts.is_empty() {
            true => Ok(Self::default()),
            false => Ok(Self(parts)),
        }
    }

    pub fn of(&self, about: &About) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Id => about.id.chars().take(SHORT).collect(),
            Part::FullId => about.id.clone(),
            Part::Name => about.name.clone(),
            Part::ImageName => about.image.clone(),
            Part::DaemonName => "docker".to_owned(),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_is_known_of_the_container() {
        let about = About {
            id: "0123456789abcdef".into(),
            name: "app".into(),
            image: "busybox:1".into(),
            ..About::default()
        };
        for (text, wanted) in [
            ("", Some("0123456789ab")),
            ("plain", Some("plain")),
            ("{{.Name}}/{{ .ID }}", Some("app/0123456789ab")),
            ("x{{.FullID}}y", Some("x0123456789abcdefy")),
            ("{{.ImageName}}@{{.DaemonName}}", Some("busybox:1@docker")),
            ("{{.ImageID}}", None),
            ("{{", None),
            ("{{.Name", None),
            ("{{}}", None),
        ] {
            let said = Tag::read(text).ok().map(|tag| tag.of(&about));
            assert_eq!(said.as_deref(), wanted, "{text}");
        }
    }
}
