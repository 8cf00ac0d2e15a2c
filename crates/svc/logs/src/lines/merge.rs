//! The lines of many streams in one order: of their times, then of their coming; or in the reverse of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::error::Result;
use crate::lines::{Line, Place};

type Source = Box<dyn Iterator<Item = Result<Line>> + Send>;

/// Streams by their index, merged.
pub(crate) struct Merged {
    backward: bool,
    sources: Vec<Source>,
    /// The next line of each stream that has one.
    next: BinaryHeap<Reverse<(Place, usize)>>,
    held: Vec<Option<Line>>,
}

impl Merged {
    pub(crate) fn of(sources: Vec<Source>) -> Result<Self> {
        Self::in_direction(sources, false)
    }

    /// Of streams that are read from their ends, latest first.
    pub(crate) fn backward(sources: Vec<Source>) -> Result<Self> {
        Self::in_direction(sources, true)
    }

    fn in_direction(sources: Vec<Source>, backward: bool) -> Result<Self> {
        let mut merged = Self {
            backward,
            held: sources.iter().map(|_| None).collect(),
            sources,
            next: BinaryHeap::new(),
        };
        for index in 0..merged.sources.len() {
            merged.advance(index)?;
        }
        Ok(merged)
    }

    fn advance(&mut self, index: usize) -> Result<()> {
        if let Some(line) = self.sources[index].next().transpose()? {
            let place = match self.backward {
                false => (line.time, line.number),
                // With every bit turned, the order is.
                true => (!line.time, !line.number),
            };
            self.next.push(Reverse((place, index)));
            self.held[index] = Some(line);
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<(usize, Line)>> {
        let Some(Reverse((_, index))) = self.next.pop() else {
            return Ok(None);
        };
        let line = self.held[index].take();
        self.advance(index)?;
        Ok(line.map(|line| (index, line)))
    }
}

impl Iterator for Merged {
    type Item = Result<(usize, Line)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
