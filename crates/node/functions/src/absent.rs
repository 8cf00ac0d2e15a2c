//! Where nothing can run functions: everything about them can be kept, and an invocation says that it did not take place.

use std::sync::Arc;

use crate::{BoxFuture, Error, Invocation, Outcome, Runtime, Sandboxes, Spec};

/// No execution environments at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Absent;

/// The families that environments are to be there for.
const FAMILIES: [&str; 3] = ["python3.", "nodejs", "provided"];

impl Sandboxes for Absent {
    fn runtime(&self, identifier: &str) -> Result<Runtime, String> {
        match FAMILIES.iter().any(|family| identifier.starts_with(family)) {
            true => Ok(Runtime {
                runs: identifier.to_owned(),
            }),
            false => Err(format!("Roadstead runs no functions of the runtime {identifier}")),
        }
    }

    fn invoke<'a>(&'a self, _: &'a Arc<Spec>, _: Invocation) -> BoxFuture<'a, Result<Outcome, Error>> {
        let reason = "their execution environments are not built yet";
        Box::pin(async move { Err(Error::NotBuilt(reason.to_owned())) })
    }

    fn retire<'a>(&'a self, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}
