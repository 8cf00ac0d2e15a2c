//! From text to a query: commands between pipes. What cannot be is refused with the place of the fault.

mod columns;
mod commands;
mod expressions;
mod glob;

use regex::{Regex, RegexBuilder};

use crate::MAX_LENGTH;
use crate::ast::Query;
use crate::fault::Fault;
use crate::lex::{Lexer, Place, Token};
use crate::row::Field;
use columns::Columns;

/// Brackets, calls and signs inside each other.
const MAX_DEPTH: usize = 64;
/// Operators of a query.
const MAX_OPERATORS: usize = 500;
/// Commands of a query.
const MAX_COMMANDS: usize = 100;
/// Bytes that a compiled regular expression may take.
const MAX_REGEX: usize = 1 << 20;

pub(crate) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// What comes next, if it was looked at.
    ahead: Option<(Token, Place)>,
    depth: usize,
    operators: usize,
    columns: Columns,
    /// Aggregates found in the `stats` that is being read; none elsewhere.
    aggregates: Option<Vec<crate::ast::Aggregate>>,
}

impl Query {
    /// # Errors
    /// The text is no query, or asks for what does not exist here.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.chars().count() > MAX_LENGTH {
            let message = format!("a query has at most {MAX_LENGTH} characters");
            return Err(Fault::at(text, (0, text.len()), message));
        }
        let mut parser = Parser {
            lexer: Lexer { text, at: 0 },
            ahead: None,
            depth: 0,
            operators: 0,
            columns: Columns::default(),
            aggregates: None,
        };
        parser.query()
    }
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Query, Fault> {
        let mut commands = Vec::new();
        let mut order = commands::Sequence::default();
        if self.peek()? == &Token::End {
            return Err(self.unexpected("a command"));
        }
        loop {
            let (name, place) = self.keyword("a command")?;
            order.check(self, &name, place)?;
            if commands.len() == MAX_COMMANDS {
                return Err(self.fault(place, format!("a query has at most {MAX_COMMANDS} commands")));
            }
            commands.push(self.command(&name, place)?);
            match self.next()? {
                (Token::End, _) => break,
                (Token::Mark("|"), _) => {}
                (token, place) => return Err(self.surprised(&token, place, "a |")),
            }
        }
        let limit = order.limit;
        let events = !self.columns.is_closed();
        let columns = self.columns.shown();
        Ok(Query {
            commands,
            columns,
            events,
            limit,
        })
    }

    fn fault(&self, place: Place, message: impl Into<String>) -> Fault {
        self.lexer.fault(place, message)
    }

    fn peek(&mut self) -> Result<&Token, Fault> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lexer.next()?);
        }
        Ok(self.ahead.as_ref().map_or(&Token::End, |(token, _)| token))
    }

    fn next(&mut self) -> Result<(Token, Place), Fault> {
        match self.ahead.take() {
            Some(found) => Ok(found),
            None => self.lexer.next(),
        }
    }

    /// Where what comes next begins.
    fn here(&mut self) -> usize {
        match &self.ahead {
            Some((_, place)) => place.0,
            None => {
                self.lexer.skip();
                self.lexer.at
            }
        }
    }

    /// The end of what was read last.
    fn behind(&self) -> usize {
        let end = self.ahead.as_ref().map_or(self.lexer.at, |(_, place)| place.0);
        self.lexer.text[..end].trim_end().len()
    }

    /// Goes back to what was looked at, so that it is read in another way.
    fn unread(&mut self) {
        if let Some((_, place)) = self.ahead.take() {
            self.lexer.at = place.0;
        }
    }

    fn takes(&mut self, mark: &'static str) -> Result<bool, Fault> {
        let found = *self.peek()? == Token::Mark(mark);
        if found {
            self.ahead = None;
        }
        Ok(found)
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), Fault> {
        if self.takes(mark)? {
            return Ok(());
        }
        Err(self.unexpected(&format!("a {mark}")))
    }

    /// Whether this word comes next, in whichever case.
    fn is_word(&mut self, word: &str) -> Result<bool, Fault> {
        Ok(matches!(self.peek()?, Token::Name { parts, quoted: false }
            if parts.len() == 1 && parts[0].eq_ignore_ascii_case(word)))
    }

    fn takes_word(&mut self, word: &str) -> Result<bool, Fault> {
        let found = self.is_word(word)?;
        if found {
            self.ahead = None;
        }
        Ok(found)
    }

    /// A single word, in lower case.
    fn keyword(&mut self, wanted: &str) -> Result<(String, Place), Fault> {
        match self.next()? {
            (Token::Name { parts, quoted: false }, place) if parts.len() == 1 => {
                Ok((parts[0].to_ascii_lowercase(), place))
            }
            (token, place) => Err(self.surprised(&token, place, wanted)),
        }
    }

    /// The name of a field.
    fn field(&mut self) -> Result<(Field, Place), Fault> {
        match self.next()? {
            (Token::Name { parts, .. }, place) => Ok((
                Field {
                    name: parts.join("."),
                    segments: parts,
                },
                place,
            )),
            (token, place) => Err(self.surprised(&token, place, "the name of a field")),
        }
    }

    fn unexpected(&mut self, wanted: &str) -> Fault {
        match self.next() {
            Ok((token, place)) => self.surprised(&token, place, wanted),
            Err(fault) => fault,
        }
    }

    fn surprised(&self, token: &Token, place: Place, wanted: &str) -> Fault {
        let found = match token {
            Token::End => "the end of the query".to_owned(),
            _ => format!("{:?}", self.lexer.text.get(place.0..place.1).unwrap_or_default()),
        };
        self.fault(place, format!("unexpected {found}, expected {wanted}"))
    }

    fn compile(&self, pattern: &str, place: Place) -> Result<Regex, Fault> {
        RegexBuilder::new(pattern)
            .size_limit(MAX_REGEX)
            .dfa_size_limit(MAX_REGEX)
            .build()
            .map_err(|error| {
                let text = error.to_string();
                let reason = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                self.fault(place, format!("the regular expression cannot be read: {reason}"))
            })
    }
}
