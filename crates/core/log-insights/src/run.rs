//! A query at work: events in, rows out.

use crate::DEFAULT_LIMIT;
use crate::ast::{Command, Query};
use crate::row::{Event, Field, Row};
use crate::stage::{Budget, State};

/// The time that a query looks at and the time at which it began, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub now: i64,
}

/// How much a query may keep.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Rows of the result, if the query itself does not want fewer. Without either they are [`DEFAULT_LIMIT`].
    pub rows: Option<usize>,
    /// Bytes of rows and groups, about.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            rows: None,
            bytes: 128 << 20,
        }
    }
}

/// What a query has to keep is more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the query keeps more rows or groups than fit in memory; look at less time, or ask for fewer")]
pub struct TooLarge;

/// Rows as names and values, without what is not there.
pub type Results = Vec<Vec<(String, String)>>;

/// A query on its way.
pub struct Run<'q> {
    query: &'q Query,
    window: Window,
    states: Vec<State>,
    /// From where on rows are no longer events as they came: until there they count as matched.
    matched_at: usize,
    matched: u64,
    rows: Results,
    limit: usize,
    budget: Budget,
}

impl<'q> Run<'q> {
    pub fn new(query: &'q Query, window: Window, bounds: Bounds) -> Self {
        let passes = |command: &Command| {
            matches!(
                command,
                Command::Make(_) | Command::Filter(_) | Command::Parse { .. }
            )
        };
        let matched_at = query.commands.iter().position(|command| !passes(command));
        Self {
            query,
            window,
            states: query.commands.iter().map(State::of).collect(),
            matched_at: matched_at.unwrap_or(query.commands.len()),
            matched: 0,
            rows: Vec::new(),
            limit: match (query.limit, bounds.rows) {
                (Some(own), Some(rows)) => own.min(rows),
                (own, rows) => own.or(rows).unwrap_or(DEFAULT_LIMIT),
            },
            budget: Budget { left: bounds.bytes },
        }
    }

    /// Takes an event. They come newest first, which is the order of results that nothing sorts.
    ///
    /// # Errors
    /// There is too much to keep.
    pub fn push(&mut self, event: Event) -> Result<(), TooLarge> {
        self.pass(0, Row::of(event))
    }

    fn pass(&mut self, from: usize, row: Row) -> Result<(), TooLarge> {
        let mut row = row;
        for index in from..self.query.commands.len() {
            if from == 0 && index == self.matched_at {
                self.matched += 1;
            }
            let needed = self.needed_after(index);
            let command = &self.query.commands[index];
            match self.states[index].take(command, row, &self.window, needed, &mut self.budget)? {
                Some(next) => row = next,
                None => return Ok(()),
            }
        }
        if from == 0 && self.matched_at == self.query.commands.len() {
            self.matched += 1;
        }
        if self.rows.len() < self.limit {
            let shown = self.show(&row);
            let size: usize = shown
                .iter()
                .map(|(name, value)| 64 + name.len() + value.len())
                .sum();
            self.budget.left = self.budget.left.checked_sub(size).ok_or(TooLarge)?;
            self.rows.push(shown);
        }
        Ok(())
    }

    /// How many rows of a sort are wanted, if what follows wants no more than that of them.
    fn needed_after(&self, index: usize) -> Option<usize> {
        let rest = &self.query.commands[index + 1..];
        match rest
            .iter()
            .find(|command| !matches!(command, Command::Make(_) | Command::Parse { .. }))
        {
            None => Some(self.limit),
            Some(Command::Limit(limit)) => Some(*limit),
            Some(_) => None,
        }
    }

    fn show(&self, row: &Row) -> Vec<(String, String)> {
        let mut shown: Vec<(String, String)> = self
            .query
            .columns
            .iter()
            .filter_map(|field| Some((field.name.clone(), row.get(field).shown()?)))
            .collect();
        if self.query.events
            && !self.query.columns.iter().any(|field| field.name == "@ptr")
            && let Some(pointer) = row.get(&Field::plain("@ptr")).shown()
        {
            shown.push(("@ptr".to_owned(), pointer));
        }
        shown
    }

    /// Events that passed every filter.
    pub fn matched(&self) -> u64 {
        self.matched
    }

    /// The whole result.
    ///
    /// # Errors
    /// There is too much to keep.
    pub fn finish(mut self) -> Result<Results, TooLarge> {
        for index in 0..self.query.commands.len() {
            let command = &self.query.commands[index];
            for row in self.states[index].finish(command, &self.window) {
                self.pass(index + 1, row)?;
            }
        }
        Ok(self.rows)
    }
}
