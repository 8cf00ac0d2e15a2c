//! Terms: words and phrases that a line must have, may have, or must not have.

use regex::Regex;

use crate::MAX_REGEX;
use crate::fault::Fault;
use crate::scan::Scanner;

/// What is looked for in a line.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn is_in(&self, line: &str) -> bool {
        match self {
            Self::Text(text) => line.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(line),
        }
    }
}

/// All of the first kind and none of the second; or one of the third, which counts only by itself, as documented.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    all: Vec<Term>,
    none: Vec<Term>,
    any: Vec<Term>,
}

impl Terms {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let mut terms = Self::default();
        let mut scanner = Scanner::new(text, 0);
        let mut expressions = 0;
        loop {
            scanner.space();
            let Some(next) = scanner.peek() else { break };
            let list = match next {
                '-' => &mut terms.none,
                '?' => &mut terms.any,
                _ => &mut terms.all,
            };
            if matches!(next, '-' | '?') {
                scanner.at += 1;
            }
            let at = scanner.at;
            let term = match scanner.peek() {
                Some('"') => Term::Text(scanner.quoted()?),
                Some('%') => {
                    expressions += 1;
                    if expressions > MAX_REGEX {
                        return Err(Fault::new(at, format!("at most {MAX_REGEX} regular expressions")));
                    }
                    Term::Regex(scanner.regex()?)
                }
                _ => {
                    let word = scanner.take_while(|c| c.is_alphanumeric() || c == '_');
                    if word.is_empty() {
                        return Err(Fault::new(
                            at,
                            "a word of letters, digits and _, or a text in double quotes",
                        ));
                    }
                    Term::Text(word.to_owned())
                }
            };
            if scanner.peek().is_some_and(|next| !next.is_whitespace()) {
                return Err(scanner.fault("white space, or the whole term in double quotes"));
            }
            list.push(term);
        }
        Ok(terms)
    }

    pub(crate) fn regexes(&self) -> usize {
        let all = [&self.all, &self.none, &self.any].into_iter().flatten();
        all.filter(|term| matches!(term, Term::Regex(_))).count()
    }

    pub(crate) fn matches(&self, line: &str) -> bool {
        if self.all.is_empty() && self.none.is_empty() {
            return self.any.iter().any(|term| term.is_in(line));
        }
        self.all.iter().all(|term| term.is_in(line)) && !self.none.iter().any(|term| term.is_in(line))
    }
}
