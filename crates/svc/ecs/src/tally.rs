//! How many tasks there are, for whoever watches this process.

use std::collections::BTreeMap;

use crate::{Ecs, Result};

impl Ecs {
    /// Tasks of all accounts by their last status, those that stopped within the past hour among them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn tasks_by_status(&self) -> Result<BTreeMap<&'static str, usize>> {
        let mut tally = BTreeMap::new();
        for task in self.present().await?.tasks.snapshot().iter() {
            *tally.entry(task.value.last.as_str()).or_default() += 1;
        }
        Ok(tally)
    }
}
