//! Numbers that only grow, over restarts too. They are taken from the disk in blocks, so that most cost nothing; what a
//! crash left of a block is lost, and no number is ever given twice.

use tokio::sync::Mutex;

use crate::batch::Batch;
use crate::error::Result;
use crate::{Space, Volume};

/// So many are taken at a time.
const BLOCK: u64 = 1 << 20;
const KEY: &str = "next";

/// A source of numbers, kept in a space of its own.
pub struct Numbers {
    volume: Volume,
    space: Space,
    state: Mutex<State>,
}

struct State {
    next: u64,
    end: u64,
}

impl Numbers {
    /// # Errors
    /// The volume cannot be read.
    pub fn open(volume: &Volume, space: &'static str) -> Result<Self> {
        let space = volume.space(space)?;
        let kept = space.get(KEY)?.and_then(|bytes| bytes.try_into().ok());
        let next = kept.map_or(1, u64::from_be_bytes);
        Ok(Self {
            volume: volume.clone(),
            space,
            state: Mutex::new(State { next, end: next }),
        })
    }

    /// The first of `count` numbers in a row.
    ///
    /// # Errors
    /// The volume cannot be written.
    pub async fn take(&self, count: u64) -> Result<u64> {
        let mut state = self.state.lock().await;
        if state.next + count > state.end {
            let end = state.next + count + BLOCK;
            let mut batch = Batch::default();
            batch.put(&self.space, KEY, end.to_be_bytes());
            self.volume.write(batch).await?;
            state.end = end;
        }
        let first = state.next;
        state.next += count;
        Ok(first)
    }
}
