//! `roadstead logs TASK` and `roadstead exec TASK`: what containers printed, and programs run beside their own, found by
//! task and name on disk alone, so that both work while the daemon is dead, the first also after the task has stopped.

use std::path::Path;

use roadstead_acs as acs;
use roadstead_runtime::{ContainerId, ExecSpec, Execution, LogQuery, LogReader, Runtime};
use serde::Deserialize;

use crate::engine::decode::task_id;
use crate::engine::spec::runtime_id;
use crate::journal::{self, Files, Journal, JournalError};
use crate::node;

/// A container whose log can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub task_arn: String,
    /// The last part of the ARN.
    pub task_id: String,
    pub container: String,
    pub runtime_id: String,
}

impl Target {
    fn id(&self) -> Result<ContainerId, LogError> {
        let parsed = self.runtime_id.parse();
        parsed.map_err(|_| LogError::NoTask(self.runtime_id.clone()))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("no Roadstead has run tasks in {0}; name its data folder with --data")]
    NoNode(String),
    #[error("no task of this node begins with {0:?}; its logs go three hours after it stopped")]
    NoTask(String),
    #[error("{prefix:?} could be any of {}; say more of it", tasks.join(", "))]
    Ambiguous { prefix: String, tasks: Vec<String> },
    #[error("the task {task} has no container {container:?}; it has {}", known.join(", "))]
    NoContainer {
        task: String,
        container: String,
        known: Vec<String>,
    },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the container {container:?} of task {task} does not run on this node")]
    NotRunning { task: String, container: String },
    #[error("running a program: {0}")]
    Exec(#[source] roadstead_runtime::Error),
    #[error("reading the log: {0}")]
    Runtime(#[from] roadstead_runtime::Error),
}

/// The logs of one node.
pub struct Logs {
    tasks: Vec<acs::Task>,
    runtime: Runtime,
    /// Containers that are gone; the same form of directory, with nothing but the log in it.
    gone: Option<Runtime>,
}

/// Of a task's record, only what came from the control plane.
#[derive(Deserialize)]
struct Payload {
    payload: acs::Task,
}

impl Logs {
    /// `data` and `instance` as in [`node::Options`].
    ///
    /// # Errors
    /// Nothing has run there, or it cannot be read.
    pub async fn open(data: &Path, instance: &str) -> Result<Self, LogError> {
        let no_node = || LogError::NoNode(data.display().to_string());
        if !node::containers(data).is_dir() || !node::records(data).is_dir() {
            return Err(no_node());
        }
        let files = Files::open(node::records(data), false)?;
        let mut tasks = Vec::new();
        for (name, text) in files.all("tasks").await? {
            tasks.push(journal::read::<Payload>(&format!("tasks/{name}"), &text)?.payload);
        }
        let instance = instance.parse().map_err(|_| no_node())?;
        let options = roadstead_runtime::Options::new(instance, node::containers(data));
        let runtime = Runtime::open(options.clone()).await?;
        let gone = match node::logs(data) {
            logs if logs.is_dir() => Some(
                Runtime::open(roadstead_runtime::Options {
                    state_dir: logs,
                    ..options
                })
                .await?,
            ),
            _ => None,
        };
        Ok(Self { tasks, runtime, gone })
    }

    /// The containers of the one task whose ARN or id begins so; only `container` if it is named.
    ///
    /// # Errors
    /// None, or several, are meant.
    pub fn find(&self, prefix: &str, container: Option<&str>) -> Result<Vec<Target>, LogError> {
        find(&self.tasks, prefix, container)
    }

    /// Runs a program in one container besides its own; the program ends when what is returned is dropped.
    ///
    /// # Errors
    /// The container does not run, or the program cannot be run in it.
    pub async fn exec(&self, target: &Target, spec: &ExecSpec) -> Result<Execution, LogError> {
        let running = self.runtime.exec(&target.id()?, spec).await;
        running.map_err(|error| match error {
            roadstead_runtime::Error::NotFound(_) | roadstead_runtime::Error::NotRunning(_) => {
                LogError::NotRunning {
                    task: target.task_id.clone(),
                    container: target.container.clone(),
                }
            }
            error => LogError::Exec(error),
        })
    }

    /// Reads, and follows if asked, one container's log.
    ///
    /// # Errors
    /// The container never ran here, or is gone.
    pub fn read(&self, target: &Target, query: LogQuery) -> Result<LogReader, LogError> {
        let id = target.id()?;
        match (self.runtime.read_log(&id, query), &self.gone) {
            (Err(roadstead_runtime::Error::NotFound(_)), Some(gone)) => Ok(gone.read_log(&id, query)?),
            (read, _) => Ok(read?),
        }
    }
}

fn find(tasks: &[acs::Task], prefix: &str, container: Option<&str>) -> Result<Vec<Target>, LogError> {
    let ids = tasks.iter().filter_map(|task| Some((task, task_id(&task.arn)?)));
    let meant: Vec<_> = ids
        .filter(|(task, id)| !prefix.is_empty() && (id.starts_with(prefix) || task.arn == prefix))
        .collect();
    let (task, id) = match meant.as_slice() {
        [] => return Err(LogError::NoTask(prefix.to_owned())),
        [one] => one,
        several => {
            let tasks = several.iter().map(|(_, id)| (*id).to_owned()).collect();
            return Err(LogError::Ambiguous {
                prefix: prefix.to_owned(),
                tasks,
            });
        }
    };
    let names = || task.containers.iter().map(|container| container.name.as_str());
    if let Some(wanted) = container.filter(|wanted| !names().any(|name| name == *wanted)) {
        return Err(LogError::NoContainer {
            task: (*id).to_owned(),
            container: wanted.to_owned(),
            known: names().map(str::to_owned).collect(),
        });
    }
    let wanted = names().filter(|name| container.is_none_or(|wanted| wanted == *name));
    Ok(wanted
        .map(|name| Target {
            task_arn: task.arn.clone(),
            task_id: (*id).to_owned(),
            container: name.to_owned(),
            runtime_id: runtime_id(&task.arn, id, name),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_found_by_the_beginning_of_their_id() {
        let task = |id: &str| acs::Task {
            arn: format!("arn:aws:ecs:us-east-1:000000000000:task/default/{id}"),
            containers: ["web", "log"]
                .map(|name| acs::Container {
                    name: name.into(),
                    ..Default::default()
                })
                .into(),
            ..acs::Task::default()
        };
        let tasks = [task("abc1"), task("abd2")];
        let all = find(&tasks, "abc", None).expect("is there");
        assert_eq!(
            all.iter()
                .map(|target| target.container.as_str())
                .collect::<Vec<_>>(),
            ["web", "log"]
        );
        assert_eq!(
            find(&tasks, &tasks[1].arn, Some("log")).expect("is there").len(),
            1
        );
        assert!(
            matches!(find(&tasks, "ab", None), Err(LogError::Ambiguous { tasks, .. }) if tasks.len() == 2)
        );
        assert!(matches!(find(&tasks, "x", None), Err(LogError::NoTask(_))));
        assert!(matches!(find(&tasks, "", None), Err(LogError::NoTask(_))));
        assert!(
            matches!(find(&tasks, "abc", Some("db")), Err(LogError::NoContainer { known, .. }) if known.len() == 2)
        );
    }
}
