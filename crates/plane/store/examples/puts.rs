//! How many durable puts a second this machine's disk gives, for 1 and for 64 clients, beside what a bare
//! append with fdatasync costs: `cargo run --release -p roadstead-store --example puts [SECONDS] [DIR] [ETCD]`,
//! where ETCD is an empty cluster such as `etcd://127.0.0.1:2379` to measure beside it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use roadstead_store::{Embedded, Op, Options, Store, Txn};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let time = Duration::from_secs_f64(arguments.next().map_or(Ok(3.0), |seconds| seconds.parse())?);
    let base = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("rs-puts-{}", std::process::id()));
    let etcd = arguments.next();
    let measured = measure(&dir, time, etcd.as_deref()).await;
    std::fs::remove_dir_all(&dir)?;
    measured
}

async fn measure(dir: &Path, time: Duration, etcd: Option<&str>) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    let mut file = std::fs::File::create(dir.join("bare"))?;
    let (begin, mut syncs) = (Instant::now(), 0u32);
    while begin.elapsed() < time / 3 {
        file.write_all(&[7; 512])?;
        file.sync_data()?;
        syncs += 1;
    }
    println!(
        "bare append and fdatasync: {:.0}/s",
        f64::from(syncs) / begin.elapsed().as_secs_f64()
    );
    let kinds = ["disk", "memory", "etcd"].map(|kind| [(kind, 1), (kind, 64)]);
    for (kind, clients) in kinds.into_iter().flatten() {
        let store: Arc<dyn Store> = match (kind, etcd) {
            ("disk", _) => Arc::new(Embedded::open(
                &dir.join(format!("store-{clients}")),
                Options::default(),
            )?),
            ("memory", _) => Arc::new(Embedded::in_memory(Options::default())?),
            (_, Some(etcd)) => Arc::new(connect(etcd).await?),
            (_, None) => continue,
        };
        let (rate, mut waits) = puts(store, clients, time).await?;
        waits.sort();
        let at = |part: usize| waits[(waits.len() - 1) * part / 100];
        println!(
            "{kind}, {clients} clients: {rate:.0} puts/s, median {:?}, p99 {:?}",
            at(50),
            at(99)
        );
    }
    Ok(())
}

#[cfg(feature = "etcd")]
async fn connect(etcd: &str) -> Result<roadstead_store::Etcd, Failure> {
    Ok(roadstead_store::Etcd::connect(etcd.parse()?, Default::default()).await?)
}

#[cfg(not(feature = "etcd"))]
async fn connect(_: &str) -> Result<Embedded, Failure> {
    Err("this was built without the feature etcd".into())
}

async fn puts(
    store: Arc<dyn Store>,
    clients: usize,
    time: Duration,
) -> Result<(f64, Vec<Duration>), Failure> {
    let begin = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for client in 0..clients {
        let store = Arc::clone(&store);
        running.spawn(async move {
            let (mut waits, value) = (Vec::new(), vec![b'v'; 256]);
            while begin.elapsed() < time {
                let key = format!("000000000000/us-east-1/bench/{client}/{}", waits.len() % 1000);
                let start = Instant::now();
                store.commit(Txn::of([Op::put(key, value.clone())])).await?;
                waits.push(start.elapsed());
            }
            Ok::<_, roadstead_store::Error>(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = running.join_next().await {
        waits.extend(done??);
    }
    Ok((waits.len() as f64 / begin.elapsed().as_secs_f64(), waits))
}
