//! What the rules of one part of a task definition need to know of the rest.

use std::collections::BTreeSet;

use roadstead_api_ecs::{IpcMode, NetworkMode};

use super::size::TaskSize;
use crate::error::{Error, Result};

/// The task around a container.
pub(super) struct Around {
    pub(super) network: NetworkMode,
    pub(super) ipc: Option<IpcMode>,
    pub(super) size: TaskSize,
    pub(super) has_execution_role: bool,
    pub(super) volumes: BTreeSet<String>,
    pub(super) containers: BTreeSet<String>,
    /// Whether the request asks for FARGATE by name, so that an obstacle is an error.
    pub(super) fargate: Fargate,
}

/// Whether the task could run on Fargate. Each rule adds its obstacle; the first one counts.
pub(super) struct Fargate {
    required: bool,
    obstacle: bool,
}

impl Fargate {
    pub(super) fn new(required: bool) -> Self {
        Self {
            required,
            obstacle: false,
        }
    }

    /// Something that Fargate does not do: an error if the task must run there, otherwise it is known for
    /// the compatibilities.
    pub(super) fn obstacle(&mut self, why: impl Into<String>) -> Result<()> {
        self.obstacle = true;
        if self.required {
            Err(Error::client(why))
        } else {
            Ok(())
        }
    }

    pub(super) fn is_possible(&self) -> bool {
        !self.obstacle
    }
}

impl Around {
    /// Refuses what an awsvpc task cannot have, since its containers share one network and its files.
    pub(super) fn not_in_awsvpc(&self, member: &str, asked: bool) -> Result<()> {
        if asked && self.network == NetworkMode::Awsvpc {
            return Err(Error::client(format!(
                "{member} is not supported on container when networkMode=awsvpc."
            )));
        }
        Ok(())
    }
}
