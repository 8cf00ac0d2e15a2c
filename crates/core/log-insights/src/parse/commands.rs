//! The commands, each with its own words.

use std::sync::Arc;

use super::Parser;
use super::glob;
use crate::MAX_LIMIT;
use crate::ast::{Command, Expr, SortKey, Stats};
use crate::fault::Fault;
use crate::lex::{Place, Token};
use crate::row::Field;

/// Commands of the language that do not exist here.
const ABSENT: [&str; 9] = [
    "anomaly",
    "diff",
    "filterindex",
    "join",
    "lookup",
    "pattern",
    "source",
    "unmask",
    "unnest",
];

/// What stood before, and so what may follow.
#[derive(Default)]
pub(super) struct Sequence {
    stats: usize,
    sorted: bool,
    dedup: bool,
    pub(super) limit: Option<usize>,
}

impl Sequence {
    pub(super) fn check(&mut self, parser: &mut Parser<'_>, name: &str, place: Place) -> Result<(), Fault> {
        let fault = |message: &str| Err(parser.fault(place, message));
        if self.dedup && name != "limit" {
            return fault("only limit can follow dedup");
        }
        match name {
            "stats" if self.stats == 2 => return fault("a query has at most two stats commands"),
            "stats" if self.sorted || self.limit.is_some() => {
                return fault("sort and limit must stand after the last stats command");
            }
            "stats" => self.stats += 1,
            "sort" => self.sorted = true,
            "dedup" => self.dedup = true,
            _ => {}
        }
        if name == "limit" {
            let limit = parser.peek_limit()?;
            self.limit = Some(self.limit.map_or(limit, |old| old.min(limit)));
        }
        Ok(())
    }
}

impl Parser<'_> {
    /// A command behind its name.
    pub(super) fn command(&mut self, name: &str, place: Place) -> Result<Command, Fault> {
        Ok(match name {
            "fields" => {
                let made = self.list(Self::named)?;
                for (field, _) in &made {
                    if made_here(&made, field) {
                        self.columns.make(&Arc::from(field.name.as_str()));
                    } else {
                        self.columns.show(field.clone());
                    }
                }
                Command::Make(new_ones(made))
            }
            "display" => {
                let made = self.list(Self::named)?;
                self.columns
                    .display(made.iter().map(|(field, _)| field.clone()).collect());
                Command::Make(new_ones(made))
            }
            "filter" => Command::Filter(self.expression()?),
            "parse" => self.parse()?,
            "sort" => {
                self.takes_word("by")?;
                Command::Sort(self.list(Self::sort_key)?)
            }
            "limit" => Command::Limit(self.limit()?),
            "dedup" => Command::Dedup(self.list(|parser| {
                let (field, place) = parser.field()?;
                parser.known(field, place)
            })?),
            "stats" => self.stats()?,
            absent if ABSENT.contains(&absent) => {
                let message = format!("the command {absent} is not supported by Roadstead yet");
                return Err(self.fault(place, message));
            }
            _ => {
                let shown = self.lexer.text.get(place.0..place.1).unwrap_or_default();
                return Err(self.fault(place, format!("there is no command {shown}")));
            }
        })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let mut items = vec![item(self)?];
        while self.takes(",")? {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// An expression and what it is called: by `as`, or by its own text.
    fn named(&mut self) -> Result<(Field, Expr), Fault> {
        let start = self.here();
        let expr = self.expression()?;
        let text = self.lexer.text[start..self.behind()].to_owned();
        if self.takes_word("as")? {
            let (alias, _) = self.field()?;
            return Ok((Field::plain(&alias.name), expr));
        }
        let field = match &expr {
            Expr::Field(field) => field.clone(),
            _ => Field::plain(&text),
        };
        Ok((field, expr))
    }

    fn sort_key(&mut self) -> Result<SortKey, Fault> {
        let expr = self.expression()?;
        let descending = self.takes_word("desc")?;
        if !descending {
            self.takes_word("asc")?;
        }
        Ok(SortKey { expr, descending })
    }

    /// The number that a `limit` has, without reading it.
    fn peek_limit(&mut self) -> Result<usize, Fault> {
        match *self.peek()? {
            Token::Number(number) if number.fract() == 0.0 && (1.0..=MAX_LIMIT as f64).contains(&number) => {
                Ok(number as usize)
            }
            _ => Err(self.unexpected(&format!("a number from 1 to {MAX_LIMIT}"))),
        }
    }

    fn limit(&mut self) -> Result<usize, Fault> {
        let limit = self.peek_limit()?;
        self.next()?;
        Ok(limit)
    }

    /// `parse FIELD "glob" as a, b` or `parse FIELD /(?<a>…)/`; without a field it is `@message`.
    fn parse(&mut self) -> Result<Command, Fault> {
        let is_pattern = matches!(self.peek()?, Token::Text(_) | Token::Mark("/"));
        let from = if is_pattern {
            Expr::Field(Field::plain("@message"))
        } else {
            let (field, place) = self.field()?;
            self.known(field, place)?
        };
        if *self.peek()? == Token::Mark("/") {
            self.unread();
            return self.parse_regex(from);
        }
        let (glob, place) = match self.next()? {
            (Token::Text(glob), place) => (glob, place),
            (token, place) => return Err(self.surprised(&token, place, "a pattern in quotes or slashes")),
        };
        let (pattern, stars) = glob::regex(&glob);
        if stars == 0 {
            return Err(self.fault(place, "the pattern has no *"));
        }
        if !self.takes_word("as")? {
            return Err(self.unexpected("as"));
        }
        let names = self.list(|parser| Ok(Arc::<str>::from(parser.field()?.0.name)))?;
        if names.len() != stars {
            let message = format!(
                "the pattern has {stars} * and there are {} names for them",
                names.len()
            );
            return Err(self.fault(place, message));
        }
        let pattern = self.compile(&pattern, place)?;
        names.iter().for_each(|name| self.columns.make(name));
        Ok(Command::Parse { from, pattern, names })
    }

    fn parse_regex(&mut self, from: Expr) -> Result<Command, Fault> {
        let Some((pattern, place)) = self.lexer.regex()? else {
            return Err(self.unexpected("a regular expression"));
        };
        let pattern = self.compile(&pattern, place)?;
        let named = pattern.capture_names().skip(1);
        let names: Option<Vec<Arc<str>>> = named.map(|name| name.map(Arc::from)).collect();
        let names = names.ok_or_else(|| {
            self.fault(
                place,
                "every group needs a name, as in (?<name>...), or none, as in (?:...)",
            )
        })?;
        if names.is_empty() {
            return Err(self.fault(place, "the regular expression has no group with a name"));
        }
        names.iter().for_each(|name| self.columns.make(name));
        Ok(Command::Parse { from, pattern, names })
    }

    fn stats(&mut self) -> Result<Command, Fault> {
        self.aggregates = Some(Vec::new());
        let mut stats = Stats::default();
        let mut aliases = Vec::new();
        loop {
            let start = self.here();
            let (field, expr) = self.named()?;
            if !aggregates(&expr, &aliases) {
                let message = "stats needs aggregates such as count(*) before by";
                return Err(self.fault((start, self.behind()), message));
            }
            let name: Arc<str> = Arc::from(field.name.as_str());
            aliases.push(Arc::clone(&name));
            // Aggregates of one stats can be built on by their names.
            self.columns.make(&name);
            stats.results.push((name, expr));
            if !self.takes(",")? {
                break;
            }
        }
        stats.aggregates = self.aggregates.take().unwrap_or_default();
        if self.takes_word("by")? {
            let by = self.list(Self::named)?;
            stats.by = by
                .into_iter()
                .map(|(field, expr)| (Arc::from(field.name.as_str()), expr))
                .collect();
        }
        let names: Vec<Arc<str>> = stats
            .by
            .iter()
            .chain(&stats.results)
            .map(|(name, _)| Arc::clone(name))
            .collect();
        self.columns.close(&names);
        Ok(Command::Stats(Box::new(stats)))
    }
}

/// Whether a field is more than its own name.
fn made_here(all: &[(Field, Expr)], field: &Field) -> bool {
    let is_itself = |expr: &Expr| matches!(expr, Expr::Field(known) if known == field);
    all.iter().any(|(known, expr)| known == field && !is_itself(expr))
}

fn new_ones(all: Vec<(Field, Expr)>) -> Vec<(Arc<str>, Expr)> {
    all.into_iter()
        .filter(|(field, expr)| !matches!(expr, Expr::Field(known) if known == field))
        .map(|(field, expr)| (Arc::from(field.name.as_str()), expr))
        .collect()
}

/// Whether everything in an expression is an aggregate, an earlier result or a literal, and one of the former is there.
fn aggregates(expr: &Expr, earlier: &[Arc<str>]) -> bool {
    fn walk(expr: &Expr, earlier: &[Arc<str>], found: &mut bool) -> bool {
        match expr {
            Expr::Aggregate(_) => {
                *found = true;
                true
            }
            Expr::Field(field) => {
                let known = earlier.iter().any(|name| **name == *field.name);
                *found |= known;
                known
            }
            Expr::Bin(_) => false,
            other => other.parts().into_iter().all(|part| walk(part, earlier, found)),
        }
    }
    let mut found = false;
    walk(expr, earlier, &mut found) && found
}
