//! Which data folders a release understands. The parts of a folder (records, tasks, images) have formats of their
//! own; this one is of the folder as a whole: what lies where, and what the parts mean to each other. An older
//! folder is brought up to date step by step; a newer one is left alone.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::place;

/// One for each format before the present: the first leads from format 0, which had no number, to 1, and so on.
/// Each must be safe to do again, after a crash in the middle of it.
const STEPS: &[Step] = &[number];

type Step = fn(&Path) -> Result<()>;

const FILE: &str = "format";

/// From no number to one: nothing else changed.
fn number(_data: &Path) -> Result<()> {
    Ok(())
}

/// Refuses a newer folder, brings an older one up to date, and marks a new one.
pub(crate) fn settle(data: &Path) -> Result<()> {
    settle_with(data, STEPS)
}

fn settle_with(data: &Path, steps: &[Step]) -> Result<()> {
    let present = steps.len();
    let path = data.join(FILE);
    let found = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse::<usize>().map_err(|_| {
            anyhow::anyhow!(
                "{} does not hold the number of a format; it was changed by hand",
                path.display()
            )
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Earlier releases wrote the instance id first.
            if data.join("instance").exists() {
                0
            } else {
                present
            }
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    if found > present {
        bail!(
            "{} was written by a newer Roadstead (format {found}, this release knows up to {present}): run that \
             release, or choose another folder with --data",
            data.display()
        );
    }
    for (at, step) in steps.iter().enumerate().skip(found) {
        tracing::info!(data = %data.display(), from = at, to = at + 1, "bringing the data folder up to date");
        step(data).with_context(|| format!("bringing {} from format {at} to {}", data.display(), at + 1))?;
        place::durable(&path, (at + 1).to_string().as_bytes())?;
    }
    if !path.exists() {
        place::durable(&path, present.to_string().as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(data: &Path, letter: &str) -> Result<()> {
        let path = data.join("text");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Ok(std::fs::write(path, text + letter)?)
    }

    fn first(data: &Path) -> Result<()> {
        append(data, "1")
    }

    fn second(data: &Path) -> Result<()> {
        append(data, "2")
    }

    fn fails(_: &Path) -> Result<()> {
        bail!("it cannot be done")
    }

    fn state(data: &Path) -> (String, String) {
        let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap_or_default();
        (read(FILE), read("text"))
    }

    fn is(data: &Path, format: &str, text: &str) {
        assert_eq!(state(data), (format.to_owned(), text.to_owned()));
    }

    #[test]
    fn new_folders_have_the_present_format_and_old_ones_get_it() {
        let new = tempfile::tempdir().expect("a folder");
        settle_with(new.path(), &[first, second]).expect("marked");
        is(new.path(), "2", "");
        let old = tempfile::tempdir().expect("a folder");
        std::fs::write(old.path().join("instance"), "00000").expect("written");
        settle_with(old.path(), &[first]).expect("brought to 1");
        is(old.path(), "1", "1");
        settle_with(old.path(), &[first, second]).expect("brought to 2");
        settle_with(old.path(), &[first, second]).expect("nothing to do");
        is(old.path(), "2", "12");
    }

    #[test]
    fn a_step_that_fails_is_done_again_and_no_other() {
        let old = tempfile::tempdir().expect("a folder");
        std::fs::write(old.path().join("instance"), "00000").expect("written");
        let refused = settle_with(old.path(), &[first, fails]).expect_err("fails");
        assert!(
            format!("{refused:#}").contains("from format 1 to 2: it cannot be done"),
            "{refused:#}"
        );
        is(old.path(), "1", "1");
        settle_with(old.path(), &[first, second]).expect("goes on");
        is(old.path(), "2", "12");
    }

    #[test]
    fn newer_folders_are_refused_and_left_alone() {
        let newer = tempfile::tempdir().expect("a folder");
        std::fs::write(newer.path().join(FILE), "9\n").expect("written");
        let refused = settle(newer.path()).expect_err("newer").to_string();
        assert!(
            refused.contains("newer Roadstead (format 9") && refused.contains("--data"),
            "{refused}"
        );
        is(newer.path(), "9\n", "");
        std::fs::write(newer.path().join(FILE), "x").expect("written");
        assert!(
            settle(newer.path())
                .expect_err("no number")
                .to_string()
                .contains("by hand")
        );
    }
}
