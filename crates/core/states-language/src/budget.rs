//! What evaluating the fields of a state may cost, so that no definition and no input keeps the interpreter busy for long or
//! fills its memory: a definition may have many thousands of expressions, and each may read all of the input.

use std::cell::Cell;
use std::io::{self, Write};

use serde_json::Value;

use crate::failure::{Failure, names};

/// Places that paths look at and nodes that expressions visit.
const STEPS: u64 = 2_000_000;
/// What paths, functions and expressions give, as JSON text: 128 times what a state may hand on.
const BYTES: usize = 32 * 1024 * 1024;

/// What is left.
#[derive(Debug)]
pub struct Budget {
    steps: Cell<u64>,
    bytes: Cell<usize>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            steps: Cell::new(STEPS),
            bytes: Cell::new(BYTES),
        }
    }
}

impl Budget {
    /// Takes so many steps; `false` if there are none left.
    pub(crate) fn step(&self, count: u64) -> bool {
        self.steps.set(self.steps.get().saturating_sub(count));
        !self.is_spent()
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Whether what found nothing only stopped to look.
    pub(crate) fn is_spent(&self) -> bool {
        self.steps.get() == 0
    }

    /// What a path fails with that there were too few steps for.
    pub(crate) fn spent(&self, path: &str, field: &str) -> Failure {
        Failure::runtime(format!(
            "The JSONPath '{path}' specified for the field '{field}' took more than the {STEPS} steps that the state may take."
        ))
    }

    /// Takes what a value has in bytes.
    pub(crate) fn hold(&self, value: Value) -> Result<Value, Failure> {
        let mut left = Left(self.bytes.get());
        let fits = serde_json::to_writer(&mut left, &value).is_ok();
        self.bytes.set(left.0);
        if fits {
            Ok(value)
        } else {
            Err(Failure::new(
                names::DATA_LIMIT,
                format!("The fields of the state were computed from more than {BYTES} bytes."),
            ))
        }
    }
}

/// Counts down, and ends what is written once there is nothing left.
struct Left(usize);

impl Write for Left {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => {
                self.0 = 0;
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
