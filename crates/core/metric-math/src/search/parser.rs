//! A search's text to its terms: `OR` binds least, then `AND` (also where nothing stands between two terms), then `NOT`.

use std::str::FromStr;

use super::{MAX_LENGTH, Match, Property, Search, Term};
use crate::fault::Fault;

const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Plain(String),
    Quoted(String),
    Sign(char),
    End,
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl FromStr for Search {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.chars().nth(MAX_LENGTH).is_some() {
            let words = format!("A search expression has at most {MAX_LENGTH} characters");
            return Err(Fault::syntax(MAX_LENGTH + 1, words));
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            depth: 0,
        };
        let mut schema = parser.schema()?;
        parser.take(',');
        let term = match parser.peek() {
            Token::End => None,
            _ => Some(parser.any()?),
        };
        let (column, end) = parser.next();
        if end != Token::End {
            return Err(unexpected(column, &end, "a search term or the end"));
        }
        if schema.is_empty() && term.is_none() {
            return Err(Fault::syntax(
                column,
                "A search has a schema in braces, a search term, or both",
            ));
        }
        let namespace = (!schema.is_empty()).then(|| schema.remove(0));
        schema.sort();
        Ok(Self {
            namespace,
            dimensions: schema,
            term,
        })
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn column(&self) -> usize {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(1, |(column, _)| *column)
    }

    fn next(&mut self) -> (usize, Token) {
        let next = (self.column(), self.peek().clone());
        self.at += 1;
        next
    }

    fn take(&mut self, sign: char) -> bool {
        let found = *self.peek() == Token::Sign(sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Plain(plain) if plain == word);
        self.at += usize::from(found);
        found
    }

    /// A namespace and the names of dimensions in braces; empty if there are no braces.
    fn schema(&mut self) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        if !self.take('{') {
            return Ok(names);
        }
        loop {
            match self.next() {
                (_, Token::Plain(name) | Token::Quoted(name)) => names.push(name),
                (column, token) => {
                    return Err(unexpected(
                        column,
                        &token,
                        "a namespace or the name of a dimension",
                    ));
                }
            }
            if self.take('}') {
                return Ok(names);
            }
            if !self.take(',') {
                return Err(unexpected(self.column(), self.peek(), "\",\" or \"}\""));
            }
        }
    }

    fn any(&mut self) -> Result<Term, Fault> {
        let mut terms = vec![self.all()?];
        while self.word("OR") {
            terms.push(self.all()?);
        }
        Ok(one_or(terms, Term::Or))
    }

    fn all(&mut self) -> Result<Term, Fault> {
        let mut terms = vec![self.negated()?];
        loop {
            let explicit = self.word("AND");
            let ends = match self.peek() {
                Token::End | Token::Sign(')') => true,
                Token::Plain(word) => word == "OR",
                _ => false,
            };
            if ends && !explicit {
                return Ok(one_or(terms, Term::And));
            }
            terms.push(self.negated()?);
        }
    }

    fn negated(&mut self) -> Result<Term, Fault> {
        if self.word("NOT") {
            self.deeper()?;
            let inner = self.negated()?;
            self.depth -= 1;
            return Ok(Term::Not(Box::new(inner)));
        }
        if self.take('(') {
            self.deeper()?;
            let inner = self.any()?;
            self.depth -= 1;
            if !self.take(')') {
                return Err(unexpected(self.column(), self.peek(), "\")\""));
            }
            return Ok(inner);
        }
        self.term()
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let words = format!("The search is nested deeper than {MAX_DEPTH} levels");
            return Err(Fault::syntax(self.column(), words));
        }
        Ok(())
    }

    fn term(&mut self) -> Result<Term, Fault> {
        let (column, first) = self.next();
        let (first, exact) = match first {
            Token::Plain(word) if matches!(word.as_str(), "AND" | "OR") => {
                return Err(unexpected(column, &Token::Plain(word), "a search term"));
            }
            Token::Plain(text) => (text, false),
            Token::Quoted(text) => (text, true),
            other => return Err(unexpected(column, &other, "a search term")),
        };
        if !self.take('=') {
            return Ok(Term::Match(Match {
                property: None,
                text: first,
                exact,
            }));
        }
        let property = match first.as_str() {
            "MetricName" => Property::MetricName,
            "Namespace" => Property::Namespace,
            special if special.starts_with(":aws.") => {
                return Err(Fault::unsupported(column, &format!("The property {special}")));
            }
            _ => Property::Dimension(first),
        };
        let (text, exact) = match self.next() {
            (_, Token::Plain(text)) => (text, false),
            (_, Token::Quoted(text)) => (text, true),
            (column, other) => return Err(unexpected(column, &other, "what the property is to be")),
        };
        Ok(Term::Match(Match {
            property: Some(property),
            text,
            exact,
        }))
    }
}

fn one_or(mut terms: Vec<Term>, several: fn(Vec<Term>) -> Term) -> Term {
    if terms.len() == 1 {
        terms.remove(0)
    } else {
        several(terms)
    }
}

fn unexpected(column: usize, token: &Token, wanted: &str) -> Fault {
    let found = match token {
        Token::Plain(text) => text.clone(),
        Token::Quoted(text) => format!("{text:?}"),
        Token::Sign(sign) => format!("\"{sign}\""),
        Token::End => "the end of the search".to_owned(),
    };
    Fault::syntax(column, format!("Unexpected {found}, expected {wanted}"))
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let chars: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let column = at + 1;
        match first {
            c if c.is_whitespace() => at += 1,
            '{' | '}' | '(' | ')' | ',' | '=' => {
                all.push((column, Token::Sign(first)));
                at += 1;
            }
            '"' => {
                let mut quoted = String::new();
                at += 1;
                loop {
                    match chars.get(at) {
                        None => return Err(Fault::syntax(column, "The quote is not closed")),
                        Some('"') => break,
                        Some('\\') => {
                            let escaped = chars.get(at + 1).filter(|c| "\"\\()".contains(**c));
                            let escaped = escaped.ok_or_else(|| {
                                Fault::syntax(at + 1, "A backslash stands before \", \\, ( or )")
                            })?;
                            quoted.push(*escaped);
                            at += 2;
                        }
                        Some(c) => {
                            quoted.push(*c);
                            at += 1;
                        }
                    }
                }
                at += 1;
                all.push((column, Token::Quoted(quoted)));
            }
            _ => {
                let plain: String = chars[at..]
                    .iter()
                    .take_while(|c| !c.is_whitespace() && !"{}(),=\"".contains(**c))
                    .collect();
                at += plain.chars().count();
                all.push((column, Token::Plain(plain)));
            }
        }
    }
    all.push((chars.len() + 1, Token::End));
    Ok(all)
}
