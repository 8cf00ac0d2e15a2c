//! The disk whose power is cut: it keeps what was synced, and of what was not, any part: writes whole, torn or
//! missing, and the file's length old or new.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[derive(Debug, Default)]
pub(super) struct Platter {
    /// What the last sync made sure of.
    synced: Vec<u8>,
    /// What reads see.
    pub(super) seen: Vec<u8>,
    unsynced: Vec<Step>,
    /// It says that it synced and did not.
    pub(super) lies: bool,
    /// So many writes and syncs from now the power goes; none: it stays.
    left: Option<u64>,
}

#[derive(Debug)]
enum Step {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

/// What becomes of the writes that no sync covered.
enum Fate {
    /// In order up to this one, which is torn.
    Prefix(usize),
    /// All but this one.
    AllBut(usize),
    /// Each its own.
    Each,
}

enum Kept {
    Whole,
    Not,
    Torn,
}

impl Fate {
    fn cast(dice: &mut Dice, writes: usize) -> Self {
        let some = dice.below(writes as u64 + 1) as usize;
        match dice.below(5) {
            0 => Fate::Prefix(writes), // all of them
            1 => Fate::Prefix(some),
            2 => Fate::AllBut(some),
            _ => Fate::Each,
        }
    }

    fn of(&self, at: usize, dice: &mut Dice) -> Kept {
        match self {
            Fate::Prefix(torn) if at < *torn => Kept::Whole,
            Fate::Prefix(torn) if at > *torn => Kept::Not,
            Fate::AllBut(missing) if at != *missing => Kept::Whole,
            Fate::AllBut(_) if dice.below(2) == 0 => Kept::Not,
            Fate::Prefix(_) | Fate::AllBut(_) => Kept::Torn,
            Fate::Each => match dice.below(3) {
                0 => Kept::Whole,
                1 => Kept::Not,
                _ => Kept::Torn,
            },
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct PowerDisk(Arc<Mutex<Platter>>);

impl Platter {
    /// Counts an operation; fails once the power is gone.
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What is on the disk when the power comes back.
    pub(super) fn after_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let mut left = self.synced.clone();
        // Either length may be what is found: what was written beyond the old one is lost with it.
        let grown = dice.below(4) > 0;
        let longest = if grown { usize::MAX } else { self.synced.len() };
        let fate = Fate::cast(dice, self.unsynced.len());
        for (at, step) in self.unsynced.iter().enumerate() {
            match step {
                Step::Length(len) if grown => left.resize(*len, 0),
                Step::Length(_) => {}
                Step::Write { offset, data } => {
                    // How many in a hundred of the pieces that this disk writes at once.
                    let (keep, piece) = match fate.of(at, dice) {
                        Kept::Whole => (100, data.len().max(1)),
                        Kept::Not => (0, data.len().max(1)),
                        Kept::Torn if dice.below(2) == 0 => (50, 512),
                        Kept::Torn => (50, 1 + dice.below(64) as usize),
                    };
                    for (at, part) in data.chunks(piece).enumerate() {
                        let start = offset + at * piece;
                        if dice.below(100) < keep && start + part.len() <= longest {
                            if left.len() < start + part.len() {
                                left.resize(start + part.len(), 0);
                            }
                            left[start..start + part.len()].copy_from_slice(part);
                        }
                    }
                }
            }
        }
        left
    }
}

impl PowerDisk {
    pub(super) fn holding(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            synced: image.clone(),
            seen: image,
            ..Platter::default()
        })))
    }

    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Platter) -> R) -> R {
        act(&mut self.0.lock().unwrap())
    }

    pub(super) fn cut_after(&self, operations: u64) {
        self.with(|platter| platter.left = Some(operations));
    }
}

impl StorageBackend for PowerDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|platter| platter.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|platter| {
            let offset = offset as usize;
            let found = platter.seen.get(offset..offset + out.len());
            out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|platter| {
            platter.spend()?;
            platter.seen.resize(len as usize, 0);
            platter.unsynced.push(Step::Length(len as usize));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|platter| {
            platter.spend()?;
            if platter.lies {
                return Ok(());
            }
            platter.unsynced.clear();
            platter.synced = platter.seen.clone();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|platter| {
            // A write that the power interrupts may still leave a part.
            let spent = platter.spend();
            let (offset, end) = (offset as usize, offset as usize + data.len());
            if platter.seen.len() < end {
                platter.seen.resize(end, 0);
            }
            platter.seen[offset..end].copy_from_slice(data);
            platter.unsynced.push(Step::Write {
                offset,
                data: data.to_vec(),
            });
            spent
        })
    }
}

/// The simulated disk itself: a sync keeps, and without one anything may be gone, in parts too.
#[test]
fn the_simulated_disk_forgets_what_was_not_synced() {
    let (mut kept, mut lost, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let disk = PowerDisk::default();
        disk.set_len(4096).unwrap();
        disk.write(0, &[1; 2048]).unwrap();
        disk.sync_data().unwrap();
        disk.write(1024, &[2; 2048]).unwrap();
        let after = disk.with(|platter| platter.after_cut(&mut Dice(seed)));
        assert!(
            after[..1024].iter().all(|byte| *byte == 1),
            "what was synced stays"
        );
        match after[1024..3072].iter().filter(|byte| **byte == 2).count() {
            2048 => kept += 1,
            0 => lost += 1,
            _ => torn += 1,
        }
    }
    assert!(
        kept > 10 && lost > 10 && torn > 10,
        "{kept} kept, {lost} lost, {torn} torn"
    );
    let disk = PowerDisk::default();
    disk.cut_after(1);
    disk.write(0, &[1]).unwrap();
    assert!(disk.sync_data().is_err() && disk.write(0, &[2]).is_err());
}
