//! A container that has ended is made ready to run again, as it was made: what it wrote stays, its log goes on.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::files::{Dir, Plan};
use crate::ids::ContainerId;
use crate::inner::{Creating, blocking, remove_dir};
use crate::runtime::Runtime;
use crate::spec::{Net, Root};
use crate::status::{Created, State};
use crate::strays::ended;

/// How long the shim of the run before may take to be gone. It waits for the disk at most.
const SHIM_GONE_WITHIN: Duration = Duration::from_secs(10);

impl Runtime {
    /// Makes an ended container ready to be started again. Its process waits; nothing of the image has run. One that
    /// is ready already stays as it is. When this fails, the container has ended as before.
    ///
    /// # Errors
    /// It is not there, it runs, or it cannot be made again.
    pub async fn renew(&self, id: &ContainerId) -> Result<Created> {
        let status = self
            .status(id)
            .await?
            .ok_or_else(|| Error::NotFound(id.clone()))?;
        match status.state {
            State::Created => return Ok(Created { pid: status.pid }),
            State::Running => return Err(Error::Running(id.clone())),
            State::Exited(_) => {}
        }
        let dir = self.0.dir(id)?;
        let plan = dir.plan()?.ok_or_else(|| Error::NotFound(id.clone()))?;
        let _creating = Creating::begin(&self.0, id).ok_or_else(|| Error::Exists(id.clone()))?;
        // Of the last run, or of an attempt that a daemon which died had begun.
        let shim = dir.shim()?;
        self.0.end_shim(id, &dir).await?;
        if let Some(shim) = shim {
            let _ = tokio::time::timeout(SHIM_GONE_WITHIN, ended(shim)).await;
        }
        let spec = &plan.spec;
        let plan = Plan {
            ipc_of: self.shared(spec, "ipc", &spec.ipc).await?,
            pid_of: self.shared(spec, "pid", &spec.pid).await?,
            uts_of: self.shared(spec, "uts", &spec.uts).await?,
            net_of: match &spec.network {
                Net::With(other) => Some(self.alive(spec, "network", other).await?),
                Net::New | Net::Join(_) | Net::Host => None,
            },
            ..plan
        };
        let inner = std::sync::Arc::clone(&self.0);
        let dir = blocking(move || {
            inner.end_orphans(|of| of == dir.path());
            plan.cgroups.remove(&plan.cgroup)?;
            clear(&plan.spec.root, &dir)?;
            dir.write_plan(&plan).map(|()| dir)
        })
        .await?;
        // The shim takes the record of the last end away once the container is made.
        self.0.bring_up(id, &dir).await
    }
}

/// Takes away what a second set-up would stumble over.
fn clear(root: &Root, dir: &Dir) -> Result<()> {
    if let Root::Overlay { writable, .. } = root {
        // A mount that was not synced leaves a mark in its work directory, which the next mount refuses. What was
        // written is in the cache at least, since the machine has been up all the time.
        remove_dir(&writable.as_deref().unwrap_or(dir.path()).join("work"))?;
    }
    match std::fs::remove_file(dir.control()) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("could not remove", dir.control())(err))
        }
        _ => Ok(()),
    }
}
