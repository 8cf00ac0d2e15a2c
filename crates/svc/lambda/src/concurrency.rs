//! What runs at once, and whether one more may: a function within what is reserved for it, the others of an account
//! together within what is left. Kept in memory: what runs ends with the process that counts it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use roadstead_base::Partition;

use crate::error::{Error, Result};

#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    functions: HashMap<(Partition, String), u32>,
    /// Of functions for which nothing is reserved.
    unreserved: HashMap<Partition, u32>,
}

/// The place of an invocation; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    running: Running,
    partition: Partition,
    function: String,
    reserved: bool,
    /// Of the function, and of the account, this one included.
    pub at_once: u32,
    pub at_once_in_all: u32,
}

/// What one more invocation is measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// For the function alone.
    pub reserved: Option<u32>,
    /// What all functions without reservation have together.
    pub unreserved: u32,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}

impl Running {
    pub(crate) fn enter(&self, partition: &Partition, function: &str, bounds: Bounds) -> Result<Place> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (partition.clone(), function.to_owned());
        let own = state.functions.get(&key).copied().unwrap_or_default();
        match bounds.reserved {
            Some(most) if own >= most => {
                return Err(Error::Throttled(
                    "ReservedFunctionConcurrentInvocationLimitExceeded",
                ));
            }
            Some(_) => {}
            None => {
                let others = state.unreserved.entry(partition.clone()).or_default();
                if *others >= bounds.unreserved {
                    return Err(Error::Throttled("ConcurrentInvocationLimitExceeded"));
                }
                *others += 1;
            }
        }
        state.functions.insert(key, own + 1);
        let all = state
            .functions
            .iter()
            .filter(|((within, _), _)| within == partition);
        let at_once_in_all = all.map(|(_, count)| count).sum();
        Ok(Place {
            running: self.clone(),
            partition: partition.clone(),
            function: function.to_owned(),
            reserved: bounds.reserved.is_some(),
            at_once: own + 1,
            at_once_in_all,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.partition.clone(), self.function.clone());
        if let Some(count) = state.functions.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                state.functions.remove(&key);
            }
        }
        if !self.reserved
            && let Some(count) = state.unreserved.get_mut(&self.partition)
        {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_what_is_reserved_for_it_and_the_others_what_is_left() {
        let running = Running::default();
        let partition = crate::tests::ctx().partition();
        let enter = |name: &str, reserved, unreserved| {
            let bounds = Bounds { reserved, unreserved };
            running.enter(&partition, name, bounds)
        };
        let reason = |result: Result<Place>| match result.expect_err("throttled") {
            Error::Throttled(reason) => reason,
            other => panic!("{other}"),
        };
        let first = enter("a", Some(1), 2).expect("room");
        assert_eq!(
            reason(enter("a", Some(1), 2)),
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
        let second = enter("b", None, 2).expect("room");
        let third = enter("c", None, 2).expect("room");
        assert_eq!((third.at_once, third.at_once_in_all), (1, 3));
        assert_eq!(reason(enter("b", None, 2)), "ConcurrentInvocationLimitExceeded");
        assert_eq!(
            reason(enter("z", Some(0), 2)),
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
        drop(second);
        let again = enter("b", None, 2).expect("room again");
        assert_eq!(again.at_once, 1);
        drop((first, third, again));
        assert!(enter("a", Some(1), 2).is_ok());
    }
}
