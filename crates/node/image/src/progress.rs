//! How far a pull is, for whoever watches: counters that the pull moves and a watcher reads when it likes, so that
//! nobody waits for a screen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Digest;

/// Given to [`crate::Images::pull_watched`]; looked at meanwhile.
#[derive(Debug, Default)]
pub struct Progress {
    layers: Mutex<Vec<Arc<Row>>>,
}

/// A layer of the image, bottom first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerProgress {
    /// Of the layer as the registry has it.
    pub digest: Digest,
    /// Bytes to transfer.
    pub size: u64,
    /// Bytes that have arrived.
    pub done: u64,
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Fetching,
    /// The store had it.
    Present,
    /// Unpacked and on disk.
    Stored,
}

#[derive(Debug)]
pub(crate) struct Row {
    digest: Digest,
    size: u64,
    done: AtomicU64,
    phase: Mutex<Phase>,
}

impl Progress {
    /// As it is now; empty until the manifest is there.
    pub fn layers(&self) -> Vec<LayerProgress> {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        layers
            .iter()
            .map(|row| LayerProgress {
                digest: row.digest.clone(),
                size: row.size,
                done: row.done.load(Ordering::Relaxed).min(row.size),
                phase: *row.phase.lock().unwrap_or_else(PoisonError::into_inner),
            })
            .collect()
    }

    /// Begins afresh with these layers.
    pub(crate) fn begin<'a>(&self, layers: impl Iterator<Item = (&'a Digest, u64)>) -> Vec<Arc<Row>> {
        let rows: Vec<Arc<Row>> = layers
            .map(|(digest, size)| {
                Arc::new(Row {
                    digest: digest.clone(),
                    size,
                    done: AtomicU64::new(0),
                    phase: Mutex::new(Phase::Waiting),
                })
            })
            .collect();
        self.layers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&rows);
        rows
    }
}

impl Row {
    pub(crate) fn arrived(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    pub(crate) fn is(&self, phase: Phase) {
        if matches!(phase, Phase::Present | Phase::Stored) {
            self.arrived(self.size);
        }
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}
