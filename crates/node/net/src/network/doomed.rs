//! Deleting a device keeps the caller waiting for the kernel's grace period, some 10 ms, though nothing passes the
//! device any more. So a device is cut off by who disconnects it (no pin, no route, no neighbour) and put in a
//! group; this thread deletes the group, all of a namespace at once, however many tasks end together. A
//! process that dies in between leaves devices that no record explains, which the next start removes.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::netlink::Netlink;
use crate::netns::Netns;
use crate::{Error, Result};

/// The group (`ip link show group`) of devices that are to be deleted.
pub(crate) const DOOMED: u32 = 0x7273;

#[derive(Debug, Default)]
struct State {
    /// Namespaces that hold doomed devices, by label; at most one for each router and the agent's.
    waiting: BTreeMap<String, Netns>,
    working: bool,
    closed: bool,
}

/// The thread that deletes, and what it has to do.
#[derive(Debug)]
pub(super) struct Undertaker {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Undertaker {
    pub(super) fn start() -> Result<Self> {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("rs-devices".into())
            .spawn(move || work(&theirs))
            .map_err(Error::kernel("starting the thread that deletes devices"))?;
        Ok(Self { shared })
    }

    /// Has the doomed devices of `namespace` deleted.
    pub(super) fn bury(&self, namespace: &Netns) -> Result<()> {
        let namespace = namespace.try_clone()?;
        let (state, changed) = &*self.shared;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(namespace.label().to_owned(), namespace);
        changed.notify_all();
        Ok(())
    }

    /// Waits until everything that was doomed before is deleted.
    pub(super) fn finish(&self) {
        let (state, changed) = &*self.shared;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |state: &mut State| state.working || !state.waiting.is_empty();
        drop(changed.wait_while(state, busy));
    }
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        let (state, changed) = &*self.shared;
        state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        changed.notify_all();
    }
}

fn work((state, changed): &(Mutex<State>, Condvar)) {
    let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        held = changed
            .wait_while(held, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut held.waiting);
        if batch.is_empty() {
            return;
        }
        held.working = true;
        drop(held);
        for namespace in batch.values() {
            let deleted = Netlink::open(namespace).and_then(|mut netlink| netlink.delete_group(DOOMED));
            if let Err(error) = deleted {
                tracing::warn!(%error, "devices are left until the next start");
            }
        }
        held = state.lock().unwrap_or_else(PoisonError::into_inner);
        held.working = false;
        changed.notify_all();
    }
}
