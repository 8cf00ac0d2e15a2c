//! Writes numbers in batches until it is killed and says each batch that was acknowledged: the victim of the crash
//! test.

use std::io::Write as _;
use std::path::PathBuf;

use roadstead_volume::{Batch, Options, Volume};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let first: u64 = arguments
        .next()
        .and_then(|first| first.to_str()?.parse().ok())
        .expect("the first batch's number");
    let volume = Volume::open(
        &folder,
        Options {
            memtable_bytes: 64 << 10,
            ..Options::default()
        },
    )
    .expect("a volume");
    let (a, b) = (
        volume.space("a").expect("a space"),
        volume.space("b").expect("a space"),
    );
    println!("ready");
    for number in first.. {
        let mut batch = Batch::default();
        for part in 0..5u8 {
            let mut key = number.to_be_bytes().to_vec();
            key.push(part);
            batch.put(if part % 2 == 0 { &a } else { &b }, key, vec![part; 300]);
        }
        volume.write(batch).await.expect("written");
        println!("{number}");
        std::io::stdout().flush().expect("told");
    }
}
