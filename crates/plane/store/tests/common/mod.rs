//! What every suite over all backends needs: a store of each kind, its clock, and short ways to speak to it.
#![allow(dead_code, unreachable_pub)]

#[cfg(feature = "etcd")]
pub mod etcd;
pub mod harbour;

use std::sync::{Arc, Weak};
use std::time::Duration;

use roadstead_store::{
    Embedded, KeyValue, ManualTime, Op, Options, RangeRequest, Revision, Store, Txn, TxnResponse, Watch,
    WatchBatch,
};
use tempfile::TempDir;

pub struct Fixture {
    pub store: Option<Arc<dyn Store>>,
    pub time: Arc<ManualTime>,
    pub options: Options,
    pub dir: Option<TempDir>,
    embedded: Weak<Embedded>,
    #[cfg(feature = "etcd")]
    pub cluster: Option<etcd::Cluster>,
}

impl Fixture {
    pub fn memory(options: impl FnOnce(&mut Options)) -> Self {
        Self::make(None, options)
    }

    pub fn disk(options: impl FnOnce(&mut Options)) -> Self {
        Self::make(Some(TempDir::with_prefix("rs-store-").unwrap()), options)
    }

    fn make(dir: Option<TempDir>, change: impl FnOnce(&mut Options)) -> Self {
        let time = Arc::new(ManualTime::default());
        let mut options = Options {
            time: time.clone(),
            ..Options::default()
        };
        change(&mut options);
        let mut fixture = Self {
            store: None,
            time,
            options,
            dir,
            embedded: Weak::new(),
            #[cfg(feature = "etcd")]
            cluster: None,
        };
        fixture.open();
        fixture
    }

    /// A store below a prefix of an etcd that others use too, which is the harder case.
    #[cfg(feature = "etcd")]
    pub async fn etcd() -> Self {
        let cluster = etcd::Cluster::shared().await;
        Self {
            store: Some(Arc::new(cluster.connect().await)),
            time: Arc::default(),
            options: Options::default(),
            dir: None,
            embedded: Weak::new(),
            cluster: Some(cluster),
        }
    }

    fn open(&mut self) {
        #[cfg(feature = "etcd")]
        if let Some(cluster) = &self.cluster {
            let connect = || tokio::runtime::Handle::current().block_on(cluster.connect());
            self.store = Some(Arc::new(tokio::task::block_in_place(connect)));
            return;
        }
        let embedded = Arc::new(match &self.dir {
            Some(dir) => Embedded::open(dir.path(), self.options.clone()).unwrap(),
            None => Embedded::in_memory(self.options.clone()).unwrap(),
        });
        self.embedded = Arc::downgrade(&embedded);
        self.store = Some(embedded);
    }

    /// Closes and opens the store; false if this kind does not outlive that.
    pub fn reopen(&mut self) -> bool {
        #[cfg(feature = "etcd")]
        let lasting = self.dir.is_some() || self.cluster.is_some();
        #[cfg(not(feature = "etcd"))]
        let lasting = self.dir.is_some();
        if lasting {
            self.store = None;
            self.open();
        }
        lasting
    }

    pub fn store(&self) -> &dyn Store {
        self.store.as_deref().unwrap()
    }

    /// Makes an embedded store look at its clock.
    pub async fn tick(&self) {
        self.embedded.upgrade().unwrap().tick().await.unwrap();
    }

    pub async fn put(&self, key: &str, value: &str) -> Revision {
        self.commit(Txn::of([put(key, value)])).await.revision
    }

    pub async fn delete(&self, key: &str) -> Revision {
        self.commit(Txn::of([Op::delete(key)])).await.revision
    }

    pub async fn commit(&self, txn: Txn) -> TxnResponse {
        self.store().commit(txn).await.unwrap()
    }

    pub async fn get(&self, key: &str) -> Option<KeyValue> {
        self.store().get(key.as_bytes()).await.unwrap()
    }

    /// `key=value` of everything with a prefix.
    pub async fn dump(&self, request: RangeRequest) -> Vec<String> {
        show(&self.store().range(request).await.unwrap().kvs)
    }
}

pub fn put(key: &str, value: &str) -> Op {
    Op::put(key.to_owned(), value.to_owned())
}

pub fn show(kvs: &[KeyValue]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    kvs.iter()
        .map(|kv| format!("{}={}", text(&kv.key), text(&kv.value)))
        .collect()
}

pub async fn next(watch: &mut Watch) -> WatchBatch {
    let batch = tokio::time::timeout(Duration::from_secs(60), watch.next()).await;
    batch
        .expect("a batch in time")
        .expect("the watch goes on")
        .expect("no error")
}

/// The next batch that has events.
pub async fn next_events(watch: &mut Watch) -> WatchBatch {
    loop {
        let batch = next(watch).await;
        if !batch.events.is_empty() {
            return batch;
        }
    }
}

/// Runs each test once per backend: `on_all!(test_one, test_two)` for `async fn test_one(fixture: Fixture)`.
#[macro_export]
macro_rules! on_all {
    ($($name:ident),* $(,)?) => {
        $crate::on_both!($($name),*);
        #[cfg(feature = "etcd")]
        mod etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::common::Fixture::etcd().await).await; })*
        }
    };
}

/// Runs each test on the embedded backends only.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::common::Fixture::memory(|_| {})).await; })*
        }
        mod disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::common::Fixture::disk(|_| {})).await; })*
        }
    };
}
