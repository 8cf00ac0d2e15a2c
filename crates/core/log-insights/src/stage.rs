//! The commands at work: each takes rows and gives some on, at once or at the end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::ast::{Command, SortKey, Stats};
use crate::eval::Scope;
use crate::order;
use crate::row::{Field, Row};
use crate::run::{TooLarge, Window};
use crate::stats::Accumulator;
use crate::value::Value;

/// What a command keeps.
pub(crate) enum State {
    /// Nothing: rows pass.
    Pass,
    /// How many rows still may pass.
    Limit(usize),
    /// Keys that were seen.
    Dedup(HashSet<Vec<String>>),
    /// Rows with their keys, in no order.
    Sort(Vec<(Vec<Value>, Row)>),
    Stats {
        groups: HashMap<Vec<Option<String>>, usize>,
        /// In order of appearance.
        all: Vec<Group>,
    },
}

pub(crate) struct Group {
    by: Vec<Value>,
    accumulators: Vec<Accumulator>,
}

/// How much memory is left; the whole of a run shares it.
pub(crate) struct Budget {
    pub left: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }

    fn give(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes);
    }
}

impl State {
    pub(crate) fn of(command: &Command) -> Self {
        match command {
            Command::Make(_) | Command::Filter(_) | Command::Parse { .. } => Self::Pass,
            Command::Limit(limit) => Self::Limit(*limit),
            Command::Dedup(_) => Self::Dedup(HashSet::new()),
            Command::Sort(_) => Self::Sort(Vec::new()),
            Command::Stats(_) => Self::Stats {
                groups: HashMap::new(),
                all: Vec::new(),
            },
        }
    }

    /// Takes a row; the same or another one if it goes on at once. `needed` rows of a sort are asked for at most.
    pub(crate) fn take(
        &mut self,
        command: &Command,
        mut row: Row,
        window: &Window,
        needed: Option<usize>,
        budget: &mut Budget,
    ) -> Result<Option<Row>, TooLarge> {
        let scope = Scope {
            row: &row,
            window,
            aggregates: &[],
        };
        match (command, self) {
            (Command::Filter(condition), _) => {
                let passes = condition.eval(&scope).truth();
                Ok(passes.then_some(row))
            }
            (Command::Make(fields), _) => {
                for (name, expr) in fields {
                    let scope = Scope {
                        row: &row,
                        window,
                        aggregates: &[],
                    };
                    let value = expr.eval(&scope).into_owned();
                    row.set(name, value);
                }
                Ok(Some(row))
            }
            (Command::Parse { from, pattern, names }, _) => {
                let text = from.eval(&scope).into_owned();
                let text = text.text().unwrap_or_default();
                let found = pattern.captures(&text);
                for (index, name) in names.iter().enumerate() {
                    let part = found.as_ref().and_then(|found| found.get(index + 1));
                    row.set(
                        name,
                        part.map_or(Value::Null, |part| Value::text_of(part.as_str())),
                    );
                }
                Ok(Some(row))
            }
            (Command::Limit(_), Self::Limit(left)) => {
                if *left == 0 {
                    return Ok(None);
                }
                *left -= 1;
                Ok(Some(row))
            }
            (Command::Dedup(keys), Self::Dedup(seen)) => {
                // A row that lacks one of them is no duplicate of any.
                let key: Option<Vec<String>> = keys.iter().map(|key| key.eval(&scope).shown()).collect();
                let Some(key) = key else {
                    return Ok(Some(row));
                };
                let size: usize = key.iter().map(|part| 48 + part.len()).sum();
                if !seen.insert(key) {
                    return Ok(None);
                }
                budget.take(size)?;
                Ok(Some(row))
            }
            (Command::Sort(keys), Self::Sort(rows)) => {
                let values: Vec<Value> = keys
                    .iter()
                    .map(|key| key.expr.eval(&scope).into_owned())
                    .collect();
                budget.take(sorted_size(&values, &row))?;
                rows.push((values, row));
                if let Some(needed) = needed
                    && rows.len() >= needed.saturating_mul(2).max(1024)
                {
                    order_rows(keys, rows);
                    for (values, row) in rows.drain(needed..) {
                        budget.give(sorted_size(&values, &row));
                    }
                }
                Ok(None)
            }
            (Command::Stats(stats), Self::Stats { groups, all }) => {
                aggregate(stats, &row, window, groups, all, budget)?;
                Ok(None)
            }
            // A state is made for its command.
            (Command::Limit(_) | Command::Dedup(_) | Command::Sort(_) | Command::Stats(_), _) => Ok(None),
        }
    }

    /// The rows that were kept until the end.
    pub(crate) fn finish(&mut self, command: &Command, window: &Window) -> Vec<Row> {
        match (command, self) {
            (Command::Sort(keys), Self::Sort(rows)) => {
                let mut rows = std::mem::take(rows);
                order_rows(keys, &mut rows);
                rows.into_iter().map(|(_, row)| row).collect()
            }
            (Command::Stats(stats), Self::Stats { groups, all }) => {
                groups.clear();
                let mut all = std::mem::take(all);
                if all.is_empty() && stats.by.is_empty() {
                    // Of nothing there are zero.
                    all.push(group(stats, Vec::new()));
                }
                all.into_iter()
                    .map(|group| result(stats, group, window))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

fn sorted_size(values: &[Value], row: &Row) -> usize {
    values.iter().map(Value::size).sum::<usize>() + row.size()
}

fn order_rows(keys: &[SortKey], rows: &mut [(Vec<Value>, Row)]) {
    // Stable: rows that are equal stay in the order in which they came.
    rows.sort_by(|(a, _), (b, _)| {
        let orderings = keys.iter().zip(a.iter().zip(b)).map(|(key, (a, b))| {
            let ordering = order::compare(a, b);
            if key.descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
        orderings.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
}

fn group(stats: &Stats, by: Vec<Value>) -> Group {
    Group {
        by,
        accumulators: stats
            .aggregates
            .iter()
            .map(|aggregate| Accumulator::new(aggregate.kind))
            .collect(),
    }
}

fn aggregate(
    stats: &Stats,
    row: &Row,
    window: &Window,
    groups: &mut HashMap<Vec<Option<String>>, usize>,
    all: &mut Vec<Group>,
    budget: &mut Budget,
) -> Result<(), TooLarge> {
    let scope = Scope {
        row,
        window,
        aggregates: &[],
    };
    let by: Vec<Value> = stats
        .by
        .iter()
        .map(|(_, expr)| expr.eval(&scope).into_owned())
        .collect();
    let key: Vec<Option<String>> = by.iter().map(Value::shown).collect();
    let index = match groups.get(&key) {
        Some(index) => *index,
        None => {
            let size: usize = by.iter().map(|value| 64 + 2 * value.size()).sum();
            let group = group(stats, by);
            budget.take(128 + size + group.accumulators.iter().map(Accumulator::size).sum::<usize>())?;
            groups.insert(key, all.len());
            all.push(group);
            all.len() - 1
        }
    };
    let time = row.event().map_or_else(
        || row.get(&Field::plain("@timestamp")).time().unwrap_or_default(),
        |event| event.timestamp,
    );
    for (aggregate, accumulator) in stats.aggregates.iter().zip(&mut all[index].accumulators) {
        let before = accumulator.size();
        let value = aggregate.of.as_ref().map(|expr| expr.eval(&scope));
        accumulator.add(value.as_deref(), time);
        budget.take(accumulator.size().saturating_sub(before))?;
    }
    Ok(())
}

fn result(stats: &Stats, mut group: Group, window: &Window) -> Row {
    let aggregates: Vec<Value> = group.accumulators.iter_mut().map(Accumulator::result).collect();
    let mut row = Row {
        made: Vec::new(),
        event: None,
    };
    for ((name, _), value) in stats.by.iter().zip(group.by) {
        row.set(name, value);
    }
    for (name, expr) in &stats.results {
        let scope = Scope {
            row: &row,
            window,
            aggregates: &aggregates,
        };
        let value = expr.eval(&scope).into_owned();
        row.set(&Arc::clone(name), value);
    }
    row
}
