//! Ten tasks that start at once from one image pull it once. Callers that ask for the same thing at the same time
//! wait for one piece of work and share its outcome, failures included, so that an unreachable registry is not
//! waited for ten times in a row. The work ends when nobody waits for it any more.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::watch;

type Outcome<V> = watch::Sender<Option<V>>;

/// Work in progress by key.
#[derive(Debug)]
pub(crate) struct Flights<K, V> {
    map: Arc<Mutex<HashMap<K, Weak<Outcome<V>>>>>,
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self { map: Arc::default() }
    }

    /// The outcome of `work`, or of the same key's work that is already under way. `None` when the work panicked or
    /// the runtime is shutting down.
    pub(crate) async fn share<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut receiver = {
            let mut map = lock(&self.map);
            match map.get(&key).and_then(Weak::upgrade) {
                Some(sender) => sender.subscribe(),
                None => {
                    let (sender, receiver) = watch::channel(None);
                    let sender = Arc::new(sender);
                    map.insert(key.clone(), Arc::downgrade(&sender));
                    tokio::spawn(fly(self.map.clone(), key, sender, work()));
                    receiver
                }
            }
        };
        let value = receiver.wait_for(Option::is_some).await.ok()?;
        value.clone()
    }
}

async fn fly<K: Eq + Hash, V>(
    map: Arc<Mutex<HashMap<K, Weak<Outcome<V>>>>>,
    key: K,
    sender: Arc<Outcome<V>>,
    work: impl Future<Output = V>,
) {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            value = &mut work => {
                // Out of the map first: whoever comes later starts afresh.
                lock(&map).remove(&key);
                sender.send_replace(Some(value));
                return;
            }
            () = sender.closed() => {
                let mut map = lock(&map);
                // Callers subscribe under the same lock, so that none can slip in here.
                if sender.receiver_count() == 0 {
                    map.remove(&key);
                    return;
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_same_key_works_once_and_later_again() {
        let flights: Flights<u8, u32> = Flights::new();
        let runs = Arc::new(AtomicU32::new(0));
        let work = || {
            let runs = runs.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                runs.fetch_add(1, Ordering::SeqCst)
            }
        };
        let both = tokio::join!(
            flights.share(1, work),
            flights.share(1, work),
            flights.share(2, work)
        );
        assert_eq!(both.0, both.1);
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert!(flights.share(1, work).await.is_some());
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn work_nobody_waits_for_ends() {
        let flights: Flights<u8, ()> = Flights::new();
        let (alive, mut gone) = tokio::sync::oneshot::channel::<()>();
        let mut alive = Some(alive);
        let wait = flights.share(1, || {
            let alive = alive.take();
            async move {
                std::future::pending::<()>().await;
                drop(alive);
            }
        });
        assert!(
            tokio::time::timeout(Duration::from_millis(20), wait)
                .await
                .is_err()
        );
        let ended = tokio::time::timeout(Duration::from_secs(5), &mut gone).await;
        assert!(ended.is_ok(), "the work still runs");
        assert!(lock(&flights.map).is_empty());
    }

    #[tokio::test]
    async fn a_panic_reaches_every_caller() {
        let flights: Flights<u8, ()> = Flights::new();
        let work = || async { panic!("expected by the test") };
        assert_eq!(flights.share(1, work).await, None);
        assert_eq!(flights.share(1, || async {}).await, Some(()));
    }
}
