//! A process to be killed: the crash test starts it, reads what it says was acknowledged, and ends it with
//! SIGKILL at a moment of its own choosing. It stops by itself when nobody reads, and after a minute.
//!
//! `rs-store-writer DIR CLIENTS`: each client counts up, writing its count under two keys in one transaction,
//! and prints `client count` after the acknowledgement.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use roadstead_store::{Embedded, Op, Options, Store, Txn};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let dir = arguments.next().map(PathBuf::from);
    let clients = arguments
        .next()
        .and_then(|clients| clients.to_str()?.parse::<u32>().ok());
    let (Some(dir), Some(clients)) = (dir, clients) else {
        eprintln!("usage: rs-store-writer DIR CLIENTS");
        return ExitCode::from(2);
    };
    match tokio::time::timeout(Duration::from_secs(60), run(dir, clients)).await {
        Ok(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Ok(Ok(())) | Err(_) => ExitCode::SUCCESS,
    }
}

async fn run(dir: PathBuf, clients: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Little history, so that automatic compaction is under way when the end comes.
    let options = Options {
        keep_revisions: 200,
        ..Options::default()
    };
    let store = Arc::new(Embedded::open(&dir, options)?);
    println!("ready");
    let mut running = tokio::task::JoinSet::new();
    for client in 0..clients {
        let store = Arc::clone(&store);
        running.spawn(async move {
            let key = |part: &str| format!("client/{client:03}/{part}");
            let mut count: u64 = match store.get(key("a").as_bytes()).await? {
                Some(kv) => std::str::from_utf8(&kv.value)?.trim().parse()?,
                None => 0,
            };
            loop {
                count += 1;
                // Of changing length, so that pages split and merge.
                let value = format!("{count}{}", " ".repeat((count as usize * 37) % 900));
                let ops = [
                    Op::put(key("a"), value.clone()),
                    Op::put(key("b"), value),
                    Op::put(key(&format!("log/{:02}", count % 20)), count.to_string()),
                    Op::delete(key(&format!("log/{:02}", (count + 7) % 20))),
                ];
                store.commit(Txn::of(ops)).await?;
                writeln!(std::io::stdout().lock(), "{client} {count}")?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}
