//! What can be done with a container while it runs, besides ending it: look at what it uses, make it stand
//! still, run something else in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check;
use crate::error::{Error, Result};
use crate::exec::{self, Execution};
use crate::files::Plan;
use crate::ids::{ContainerId, GroupName};
use crate::inner::blocking;
use crate::interfaces::{self, InterfaceStats};
use crate::runtime::Runtime;
use crate::spec::{CpuQuota, ExecSpec};
use crate::status::{State, Stats, Usage};

/// Reads how much memory one container held, often: it knows where to look.
#[derive(Clone, Debug)]
pub struct MemoryGauge(PathBuf);

impl MemoryGauge {
    /// The most bytes that the container held so far, or holds now where the kernel does not keep that. Nothing once it
    /// has ended.
    pub fn peak(&self) -> Option<u64> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        text.trim().parse().ok()
    }
}

impl Runtime {
    /// What reads the container's memory from now on.
    pub fn memory_gauge(&self, id: &ContainerId) -> Result<MemoryGauge> {
        let plan = self.plan(id)?;
        Ok(MemoryGauge(plan.cgroups.memory_peak(&plan.cgroup)))
    }

    /// What the container uses now: the three numbers that most people want.
    pub async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        let plan = self.plan(id)?;
        blocking(move || Ok(plan.cgroups.usage(&plan.cgroup))).await
    }

    /// What the container uses, and was refused, so far.
    pub async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        let plan = self.plan(id)?;
        blocking(move || Ok(plan.cgroups.stats(&plan.cgroup))).await
    }

    /// What went through the interfaces of the container's network namespace so far, by name; nothing once it has
    /// ended. Of a container in the host's network, these are the host's.
    pub async fn interface_stats(&self, id: &ContainerId) -> Result<BTreeMap<String, InterfaceStats>> {
        let plan = self.plan(id)?;
        let first = self.0.dir(id)?.life()?.map(|life| life.pid);
        blocking(move || {
            // A pid that is not the container's any more may be anybody's.
            let present = plan.cgroups.processes(&plan.cgroup);
            let first = first
                .filter(|pid| present.contains(pid))
                .or(present.first().copied());
            Ok(first.map(interfaces::of).unwrap_or_default())
        })
        .await
    }

    /// What all containers of a group use together.
    pub async fn group_stats(&self, group: &GroupName) -> Result<Stats> {
        let (inner, path) = (std::sync::Arc::clone(&self.0), self.0.group(group));
        if !inner.cgroups.exists(&path) {
            let reason = "it does not exist".to_owned();
            return Err(Error::Group {
                group: group.clone(),
                reason,
            });
        }
        blocking(move || Ok(inner.cgroups.stats(&path))).await
    }

    /// How much CPU a running container may have from now on; none: all there is.
    pub async fn limit_cpu(&self, id: &ContainerId, quota: Option<CpuQuota>) -> Result<()> {
        if let Some(quota) = quota {
            check::quota(quota).map_err(|reason| Error::Invalid {
                id: id.clone(),
                member: "cpu_quota",
                reason,
            })?;
        }
        let plan = self.running(id).await?;
        blocking(move || plan.cgroups.set_quota(&plan.cgroup, quota)).await
    }

    /// Makes every process of a running container stand still; it can be killed all the same. Twice is no error.
    pub async fn freeze(&self, id: &ContainerId) -> Result<()> {
        let plan = self.running(id).await?;
        blocking(move || plan.cgroups.freeze(&plan.cgroup)).await
    }

    /// Lets a frozen container go on. One that is not frozen is no error.
    pub async fn thaw(&self, id: &ContainerId) -> Result<()> {
        let plan = self.running(id).await?;
        blocking(move || plan.cgroups.thaw(&plan.cgroup)).await
    }

    /// Runs a program in a running container, under its limits and with its privileges. When this returns, the
    /// program runs; one that cannot be run is an `Error::Start`. It ends with the container, or when the
    /// `Execution` is dropped.
    pub async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Execution> {
        let invalid = |reason: &str| Error::Invalid {
            id: id.clone(),
            member: "exec",
            reason: reason.to_owned(),
        };
        check::exec(spec).map_err(|reason| invalid(&reason))?;
        let plan = self.running(id).await?;
        let frozen = blocking(move || Ok(plan.cgroups.is_frozen(&plan.cgroup))).await?;
        if frozen {
            return Err(invalid("the container is frozen; thaw it first"));
        }
        exec::start(&self.0.exe, id, &self.0.dir(id)?, spec).await
    }

    fn plan(&self, id: &ContainerId) -> Result<Plan> {
        self.0.dir(id)?.plan()?.ok_or_else(|| Error::NotFound(id.clone()))
    }

    async fn running(&self, id: &ContainerId) -> Result<Plan> {
        match self.status(id).await?.map(|status| status.state) {
            Some(State::Running) => self.plan(id),
            Some(State::Created | State::Exited(_)) => Err(Error::NotRunning(id.clone())),
            None => Err(Error::NotFound(id.clone())),
        }
    }
}
