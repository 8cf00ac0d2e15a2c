//! `tag`: a text with markup that stands for facts of the container. Source: the table on Docker's page of log tags.

use crate::Facts;

/// Characters of a short id.
const SHORT: usize = 12;
/// Longest tag, before markup is replaced.
const MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Id,
    FullId,
    Name,
    ImageId,
    ImageFullId,
    ImageName,
    DaemonName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Fact(Fact),
}

/// A tag that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Vec<Piece>);

impl Default for Tag {
    /// What Docker writes when nothing is said.
    fn default() -> Self {
        Self(vec![Piece::Fact(Fact::Id)])
    }
}

impl Tag {
    /// # Errors
    /// Markup that is not in Docker's table: templates can do more, which has no effect here.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > MAX {
            return Err(format!("it has at most {MAX} bytes"));
        }
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(begin) = rest.find("{{") {
            if begin > 0 {
                pieces.push(Piece::Text(rest[..begin].to_owned()));
            }
            let inner = &rest[begin + 2..];
            let end = inner.find("}}").ok_or("a markup does not end")?;
            pieces.push(Piece::Fact(fact(inner[..end].trim())?));
            rest = &inner[end + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The tag of one container.
    pub fn of(&self, facts: &Facts) -> String {
        let short = |id: &str| id.chars().take(SHORT).collect::<String>();
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Fact(Fact::Id) => short(&facts.id),
            Piece::Fact(Fact::FullId) => facts.id.clone(),
            Piece::Fact(Fact::Name) => facts.name.clone(),
            Piece::Fact(Fact::ImageId) => short(&facts.image_id),
            Piece::Fact(Fact::ImageFullId) => facts.image_id.clone(),
            Piece::Fact(Fact::ImageName) => facts.image_name.clone(),
            Piece::Fact(Fact::DaemonName) => "docker".to_owned(),
        });
        pieces.collect()
    }
}

fn fact(markup: &str) -> Result<Fact, String> {
    Ok(match markup {
        ".ID" => Fact::Id,
        ".FullID" => Fact::FullId,
        ".Name" => Fact::Name,
        ".ImageID" => Fact::ImageId,
        ".ImageFullID" => Fact::ImageFullId,
        ".ImageName" => Fact::ImageName,
        ".DaemonName" => Fact::DaemonName,
        other => {
            let shown: String = other.chars().take(64).collect();
            return Err(format!(
                "the markup {{{{{shown}}}}} is not supported by Roadstead yet; there are .ID, .FullID, .Name, .ImageID, \
                 .ImageFullID, .ImageName and .DaemonName"
            ));
        }
    })
}
