//! Reading a range, now or as it was. History costs nothing to keep beyond the events that watches need: each
//! event carries what it replaced, so an older state is the present one with the later events undone.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;

use crate::api::{KeyValue, RangeRequest, RangeResponse, Revision};
use crate::engine::{Marks, Stored, View};
use crate::error::{Error, Result};
use crate::range::KeyRange;

/// How many commits are undone between two looks at the table.
const UNDO_CHUNK: usize = 512;

/// Answers a range request on one consistent view.
pub(crate) fn range(view: &dyn View, request: &RangeRequest) -> Result<RangeResponse> {
    let marks = view.marks()?;
    let mut page = Page {
        request,
        kvs: Vec::new(),
        count: 0,
        more: false,
    };
    match request.revision {
        Some(wanted) if wanted > marks.head => {
            return Err(Error::FutureRevision {
                wanted,
                current: marks.head,
            });
        }
        Some(wanted) if wanted < marks.compacted => {
            return Err(Error::Compacted {
                wanted,
                compacted: marks.compacted,
            });
        }
        Some(wanted) if wanted < marks.head => {
            let undo = undo(view, marks, wanted, &request.range)?;
            merge(view, &request.range, &undo, &mut |stored| Ok(page.take(&stored)))?;
        }
        _ => view.scan(&request.range, &mut |stored| Ok(page.take(&stored)))?,
    }
    let count = if request.count_only {
        page.count
    } else {
        page.kvs.len()
    };
    Ok(RangeResponse {
        kvs: page.kvs,
        more: page.more,
        count,
        revision: marks.head,
    })
}

struct Page<'r> {
    request: &'r RangeRequest,
    kvs: Vec<KeyValue>,
    count: usize,
    more: bool,
}

impl Page<'_> {
    fn take(&mut self, stored: &Stored<'_>) -> ControlFlow<()> {
        if self.request.count_only {
            self.count += 1;
            return ControlFlow::Continue(());
        }
        if self.request.limit.is_some_and(|limit| self.kvs.len() >= limit) {
            self.more = true;
            return ControlFlow::Break(());
        }
        self.kvs.push(stored.to_key_value(self.request.keys_only));
        ControlFlow::Continue(())
    }
}

/// For each key of the range that changed after `at`: what it was then.
fn undo(
    view: &dyn View,
    marks: Marks,
    at: Revision,
    range: &KeyRange,
) -> Result<BTreeMap<Bytes, Option<KeyValue>>> {
    let mut before = BTreeMap::new();
    let mut next = at.next();
    while next <= marks.head {
        let commits = view.commits(next, UNDO_CHUNK)?;
        let Some(last) = commits.last() else {
            return Err(Error::corrupt(
                "history",
                format!("the events of revision {next} are missing"),
            ));
        };
        next = last.revision.next();
        for event in commits.iter().flat_map(|commit| commit.events.iter()) {
            if range.contains(event.key()) {
                before
                    .entry(event.key().clone())
                    .or_insert_with(|| event.previous().cloned());
            }
        }
    }
    Ok(before)
}

/// Visits the present state with `undo` laid over it, in order of keys.
fn merge(
    view: &dyn View,
    range: &KeyRange,
    undo: &BTreeMap<Bytes, Option<KeyValue>>,
    visit: &mut dyn FnMut(Stored<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut undone = undo.iter().peekable();
    let mut stopped = false;
    view.scan(range, &mut |stored| {
        while let Some((_, before)) = undone.next_if(|(key, _)| key.as_ref() < stored.key) {
            if let Some(kv) = before
                && visit(Stored::of(kv))?.is_break()
            {
                stopped = true;
                return Ok(ControlFlow::Break(()));
            }
        }
        let flow = match undone.next_if(|(key, _)| key.as_ref() == stored.key) {
            Some((_, Some(kv))) => visit(Stored::of(kv))?,
            Some((_, None)) => ControlFlow::Continue(()),
            None => visit(stored)?,
        };
        stopped = flow.is_break();
        Ok(flow)
    })?;
    if stopped {
        return Ok(());
    }
    for kv in undone.filter_map(|(_, before)| before.as_ref()) {
        if visit(Stored::of(kv))?.is_break() {
            break;
        }
    }
    Ok(())
}
