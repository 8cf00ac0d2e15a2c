//! Wildcards. Names of actions are compared without regard to case; ARNs by their parts, as documented: in one of
//! the first five parts a `*` reaches past a colon only where it ends the part.

/// What a pattern is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Exactly this character.
    Char(char),
    /// Any one character; where `in_part`, no colon.
    One { in_part: bool },
    /// Any characters; where `in_part`, no colon.
    Many { in_part: bool },
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
    /// The text itself, where there is no wildcard: the common case, which needs no matching.
    exact: Option<String>,
    /// `*`
    all: bool,
    /// Some wildcard stays within its part.
    parted: bool,
}

impl Pattern {
    pub(crate) fn of(tokens: Vec<Token>) -> Self {
        let exact = tokens
            .iter()
            .map(|token| match token {
                Token::Char(c) => Some(*c),
                _ => None,
            })
            .collect();
        let within = |token: &Token| {
            matches!(
                token,
                Token::One { in_part: true } | Token::Many { in_part: true }
            )
        };
        Self {
            exact,
            all: tokens == [Token::Many { in_part: false }],
            parted: tokens.iter().any(within),
            tokens,
        }
    }

    /// `*` and `?` stand for anything.
    pub(crate) fn glob(text: &str) -> Self {
        let token = |c| match c {
            '*' => Token::Many { in_part: false },
            '?' => Token::One { in_part: false },
            c => Token::Char(c),
        };
        Self::of(text.chars().map(token).collect())
    }

    /// For names that are compared without regard to case.
    pub(crate) fn folded(text: &str) -> Self {
        Self::glob(&text.to_ascii_lowercase())
    }

    /// For text of which a variable's value may be part: both sides are folded.
    pub(crate) fn folded_matches(&self, text: &str) -> bool {
        match &self.exact {
            Some(exact) => exact.to_lowercase() == text.to_lowercase(),
            None => self.matches(&text.to_lowercase()),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        if self.all {
            return true;
        }
        match &self.exact {
            Some(exact) => exact == text,
            None if self.parted => every_way(&self.tokens, text),
            None => last_star(&self.tokens, text),
        }
    }
}

/// Goes back to the last star alone, which is enough where a star takes any character.
fn last_star(tokens: &[Token], text: &str) -> bool {
    let (mut token, mut rest) = (0, text);
    // Where to go on if this fails: the token behind the last star, and the text it then begins at.
    let mut back: Option<(usize, &str)> = None;
    loop {
        match (tokens.get(token), rest.chars().next()) {
            (Some(Token::Many { .. }), _) => {
                token += 1;
                if token == tokens.len() {
                    return true;
                }
                back = Some((token, rest));
            }
            (Some(Token::One { .. }), Some(c)) => {
                token += 1;
                rest = &rest[c.len_utf8()..];
            }
            (Some(Token::Char(wanted)), Some(c)) if *wanted == c => {
                token += 1;
                rest = &rest[c.len_utf8()..];
            }
            (None, None) => return true,
            _ => {
                let Some((behind, from)) = back else { return false };
                let Some(c) = from.chars().next() else {
                    return false;
                };
                token = behind;
                rest = &from[c.len_utf8()..];
                back = Some((behind, rest));
            }
        }
    }
}

/// Follows all ways at once: for stars that must not pass a colon, going back to the last alone is not enough.
fn every_way(tokens: &[Token], text: &str) -> bool {
    let mut now = vec![false; tokens.len() + 1];
    now[0] = true;
    skip_stars(tokens, &mut now);
    for c in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        let mut any = false;
        for (at, token) in tokens.iter().enumerate() {
            if !now[at] {
                continue;
            }
            let to = match token {
                Token::Char(wanted) if *wanted == c => at + 1,
                Token::One { in_part } if !(*in_part && c == ':') => at + 1,
                Token::Many { in_part } if !(*in_part && c == ':') => at,
                _ => continue,
            };
            next[to] = true;
            any = true;
        }
        if !any {
            return false;
        }
        skip_stars(tokens, &mut next);
        now = next;
    }
    now[tokens.len()]
}

/// A star may stand for nothing.
fn skip_stars(tokens: &[Token], states: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate() {
        if states[at] && matches!(token, Token::Many { .. }) {
            states[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_stand_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a?", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*:*", "ecs:RunTask", true),
            ("?", "ü", true),
            ("**a", "a", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Pattern::glob(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    /// The slow definition.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| plainly(rest, &text[taken..])),
            Some(('?', rest)) => !text.is_empty() && plainly(rest, &text[1..]),
            Some((c, rest)) => text.first() == Some(c) && plainly(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree_with_the_definition(pattern in "[ab*?:]{0,8}", text in "[ab:]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            let expected = plainly(&p, &t);
            let compiled = Pattern::glob(&pattern);
            prop_assert_eq!(compiled.matches(&text), expected);
            prop_assert_eq!(every_way(&compiled.tokens, &text), expected);
        }
    }
}
