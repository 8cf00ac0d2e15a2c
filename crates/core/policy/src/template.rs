//! Patterns with variables in them: `arn:aws:s3:::home/${aws:username}/*`. A variable's value stands for itself,
//! whatever characters it has.

use std::borrow::Cow;

use crate::pattern::{Pattern, Token};
use crate::request::Request;

/// What wildcards of a template mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wild {
    /// `*` and `?` are characters.
    None,
    /// They stand for any characters.
    Free,
    /// In the first five parts of an ARN a star in the middle of a part stays in it.
    Arn,
    /// In the first five parts of an ARN every star stays in its part.
    ArnStrict,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Token(Token),
    Variable { key: String, default: Option<String> },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Fixed(Pattern),
    Varying(Vec<Piece>),
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Unclosed,
    Empty,
    Default,
}

impl Fault {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Unclosed => "a policy variable has no closing brace",
            Self::Empty => "a policy variable has no name",
            Self::Default => "the default of a policy variable stands in single quotes: ${key, 'value'}",
        }
    }
}

impl Template {
    /// `variables`: documents of version 2008-10-17 have none, and `${` is text in them.
    pub(crate) fn of(text: &str, wild: Wild, variables: bool) -> Result<Self, Fault> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if variables && let Some(inner) = rest.strip_prefix("${") {
                let end = inner.find('}').ok_or(Fault::Unclosed)?;
                match &inner[..end] {
                    special @ ("*" | "?" | "$") => {
                        pieces.extend(special.chars().map(|c| Piece::Token(Token::Char(c))));
                    }
                    name => pieces.push(variable(name)?),
                }
                rest = &inner[end + 1..];
                continue;
            }
            let star = Token::Many { in_part: false };
            pieces.push(Piece::Token(match c {
                '*' if wild != Wild::None => star,
                '?' if wild != Wild::None => Token::One { in_part: false },
                c => Token::Char(c),
            }));
            rest = &rest[c.len_utf8()..];
        }
        if matches!(wild, Wild::Arn | Wild::ArnStrict) {
            keep_in_parts(&mut pieces, wild == Wild::ArnStrict);
        }
        let fixed: Option<Vec<Token>> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Token(token) => Some(token.clone()),
                Piece::Variable { .. } => None,
            })
            .collect();
        Ok(match fixed {
            Some(tokens) => Self::Fixed(Pattern::of(tokens)),
            None => Self::Varying(pieces),
        })
    }

    /// The keys of its variables.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Varying(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Variable { key, .. } => Some(key.clone()),
                    Piece::Token(_) => None,
                })
                .collect(),
        }
    }

    /// The pattern for this request; none if a variable has no value in it.
    pub(crate) fn settle(&self, request: &Request<'_>) -> Option<Cow<'_, Pattern>> {
        let pieces = match self {
            Self::Fixed(pattern) => return Some(Cow::Borrowed(pattern)),
            Self::Varying(pieces) => pieces,
        };
        let mut tokens = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                Piece::Token(token) => tokens.push(token.clone()),
                Piece::Variable { key, default } => {
                    let value = match request.context.get(key) {
                        Some([value]) => value.as_str(),
                        _ => default.as_deref()?,
                    };
                    tokens.extend(value.chars().map(Token::Char));
                }
            }
        }
        Some(Cow::Owned(Pattern::of(tokens)))
    }
}

fn variable(name: &str) -> Result<Piece, Fault> {
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => {
            let quoted = default
                .trim()
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''));
            (key, Some(quoted.ok_or(Fault::Default)?.to_owned()))
        }
        None => (name, None),
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(Fault::Empty);
    }
    Ok(Piece::Variable {
        key: key.to_owned(),
        default,
    })
}

/// Marks the wildcards that stay within their part of an ARN: of the first five parts all, or those that do not end
/// one.
fn keep_in_parts(pieces: &mut [Piece], strict: bool) {
    let mut colons = 0;
    for at in 0..pieces.len() {
        let ends = match pieces.get(at + 1) {
            None | Some(Piece::Token(Token::Char(':'))) => true,
            Some(_) => false,
        };
        match &mut pieces[at] {
            Piece::Token(Token::Char(':')) => colons += 1,
            Piece::Token(Token::Many { in_part }) if colons < 5 => *in_part = strict || !ends,
            Piece::Token(Token::One { in_part }) if colons < 5 => *in_part = true,
            _ => {}
        }
    }
}
