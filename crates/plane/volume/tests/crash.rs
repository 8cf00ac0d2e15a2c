//! `kill -9` at any moment: every batch that was acknowledged is there after reopening, and none by half.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use roadstead_volume::{Options, Volume};

const ROUNDS: u64 = 25;

#[test]
fn every_acknowledged_batch_survives_kill_9_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut next = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rs-volume-writer"))
            .arg(folder.path())
            .arg(next.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the writer");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        assert_eq!(lines.next().expect("a line").expect("a line"), "ready");
        let killer = std::thread::spawn(move || {
            // Not a wait for anything: the moment of the kill is to differ from round to round.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(Duration::from_millis(3 + round * 7 % 60));
            child.kill().expect("killed");
            child.wait().expect("ended");
        });
        let told: Vec<u64> = lines
            .map_while(Result::ok)
            .filter_map(|line| line.parse().ok())
            .collect();
        killer.join().expect("killed");
        let volume = Volume::open(folder.path(), Options::default()).expect("a volume");
        let spaces = [
            volume.space("a").expect("a space"),
            volume.space("b").expect("a space"),
        ];
        let whole = |number: u64| {
            let found = (0..5u8).filter(|part| {
                let mut key = number.to_be_bytes().to_vec();
                key.push(*part);
                let value = spaces[usize::from(part % 2)].get(key).expect("read");
                value.is_some_and(|value| value == vec![*part; 300])
            });
            found.count()
        };
        let last = told.last().copied().unwrap_or(next);
        for number in next..=last {
            if told.contains(&number) {
                assert_eq!(whole(number), 5, "round {round}, batch {number} of {last}");
            }
        }
        // What was not told may be there or not, but not by half.
        for number in last + 1..last + 4 {
            assert!([0, 5].contains(&whole(number)), "round {round}, batch {number}");
        }
        next = last + 4;
    }
}
