//! How many durable puts a second the store on disk takes, against the same puts in etcd on the same disk, for one
//! client and for 64: `cargo xtask perf store`, which starts an etcd for it, or by hand
//! `cargo run --release -p roadstead-store --example puts FOLDER etcd://127.0.0.1:2379 [SECONDS] [ROUNDS]`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use roadstead_store::{Embedded, Etcd, Op, Options, Store, Txn};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Clients, and how many times etcd's rate is aimed at.
const AIMS: [(usize, f64); 2] = [(1, 1.0), (64, 3.0)];
const VALUE: usize = 256;
/// So many revisions are written first; the store on disk keeps 10,000 and an eighth.
const FILL: u64 = 15_000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(etcd)) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return Err("usage: puts FOLDER etcd://HOST:PORT [SECONDS] [ROUNDS]".into());
    };
    let time = Duration::from_secs_f64(arguments.next().map_or(Ok(2.0), |seconds| seconds.parse())?);
    let rounds: usize = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    println!(
        "bare append of 512 bytes and fdatasync: {:.0}/s",
        bare(&folder, time / 2)?
    );
    let ours: Arc<dyn Store> = Arc::new(Embedded::open(&folder.join("store"), Options::default())?);
    let theirs: Arc<dyn Store> = Arc::new(Etcd::connect(etcd.parse()?, Default::default()).await?);
    // What runs for long has its whole history: until then, files grow, which costs a disk more than writing again.
    for store in [&ours, &theirs] {
        while store.revision().await?.0 < FILL {
            puts(store, 64, time / 4).await?;
        }
    }
    for (clients, aim) in AIMS {
        let (mut mine, mut other) = (Series::default(), Series::default());
        // In turns, so that whatever else the machine does falls on both; the first of each only warms up.
        for round in 0..=rounds {
            let (a, b) = (
                puts(&ours, clients, time).await?,
                puts(&theirs, clients, time).await?,
            );
            if round > 0 {
                mine.take(a);
                other.take(b);
            }
        }
        mine.print("disk", clients);
        other.print("etcd", clients);
        let ratio = mine.rate() / other.rate();
        let verdict = if ratio >= aim { "met" } else { "missed" };
        println!("ratio of median rates with {clients} clients: {ratio:.2} (aim: at least {aim}): {verdict}");
    }
    Ok(())
}

fn bare(folder: &Path, time: Duration) -> Result<f64, Failure> {
    let mut file = std::fs::File::create(folder.join("bare"))?;
    let (begin, mut syncs) = (Instant::now(), 0u32);
    while begin.elapsed() < time {
        file.write_all(&[7; 512])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / begin.elapsed().as_secs_f64())
}

#[derive(Default)]
struct Series {
    rates: Vec<f64>,
    waits: Vec<Duration>,
}

impl Series {
    fn take(&mut self, (rate, waits): (f64, Vec<Duration>)) {
        self.rates.push(rate);
        self.waits.extend(waits);
    }

    fn rate(&self) -> f64 {
        let mut sorted = self.rates.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    fn print(&self, name: &str, clients: usize) {
        let mut waits = self.waits.clone();
        waits.sort();
        let at = |part: usize| {
            waits
                .get(waits.len().saturating_sub(1) * part / 100)
                .copied()
                .unwrap_or_default()
        };
        println!(
            "{name}, {clients:>2} clients: {:>6.0} puts/s (median of {}), a put takes {:.2?} at the median, {:.2?} at p99",
            self.rate(),
            self.rates.len(),
            at(50),
            at(99)
        );
    }
}

async fn puts(
    store: &Arc<dyn Store>,
    clients: usize,
    time: Duration,
) -> Result<(f64, Vec<Duration>), Failure> {
    let begin = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for client in 0..clients {
        let store = Arc::clone(store);
        running.spawn(async move {
            let (mut waits, value) = (Vec::new(), vec![b'v'; VALUE]);
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
