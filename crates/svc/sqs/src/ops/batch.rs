//! What batches share: from 1 to 10 entries with ids of their own, each of which succeeds or fails for itself.

use std::collections::HashSet;

use roadstead_api_sqs::BatchResultErrorEntry;
use roadstead_protocol::{ApiError, Fault};

use crate::error::{Error, Result};
use crate::names::is_label;

const MAX_ENTRIES: usize = 10;

/// `kind` is what an entry is called where there is none.
pub(crate) fn check<'i>(kind: &'static str, ids: impl ExactSizeIterator<Item = &'i str>) -> Result<()> {
    match ids.len() {
        0 => return Err(Error::EmptyBatch(kind)),
        count if count > MAX_ENTRIES => return Err(Error::TooManyEntries(count)),
        _ => {}
    }
    let mut seen = HashSet::new();
    for id in ids {
        if !is_label(id) {
            return Err(Error::EntryId);
        }
        if !seen.insert(id) {
            return Err(Error::RepeatedId(id.to_owned()));
        }
    }
    Ok(())
}

/// An entry that failed.
pub(crate) fn failed(id: String, error: Error) -> BatchResultErrorEntry {
    let error = ApiError::from(error);
    BatchResultErrorEntry {
        id,
        sender_fault: error.fault() == Fault::Client,
        message: Some(error.message),
        code: error.code.into_owned(),
    }
}
