//! What a task wrote, read from disk: the daemon need not run.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use roadstead_runtime::{ContainerStatus, LogQuery, Runtime, Stream};

use crate::config::DEFAULT_DATA;
use crate::place;

/// Labels that the agent puts on containers.
const TASK: &str = "roadstead.task";
const CONTAINER: &str = "roadstead.container";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A task's id or ARN, or the beginning of its id
    task: String,
    /// Only this container of the task
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Go on until the container ends
    #[arg(long, short)]
    follow: bool,
    /// Only the last lines
    #[arg(long, value_name = "LINES")]
    tail: Option<usize>,
    /// The daemon's data folder
    #[arg(long, env = "ROADSTEAD_DATA", default_value = DEFAULT_DATA, value_name = "FOLDER")]
    data: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Some(instance) = place::known_instance(&args.data)? else {
        bail!("{} holds no Roadstead", args.data.display());
    };
    let options = roadstead_runtime::Options::new(instance.parse()?, place::containers(&args.data));
    let runtime = Runtime::open(options).await.context("opening the containers")?;
    let found = find(runtime.list().await?, &args)?;
    if args.follow && found.len() > 1 {
        let names: Vec<&str> = found.iter().map(name).collect();
        bail!("the task has several containers; choose one with --container: {}", names.join(", "));
    }
    let many = found.len() > 1;
    for container in &found {
        let query = LogQuery { tail: args.tail, follow: args.follow, stream: None };
        let mut reader = runtime.read_log(&container.id, query)?;
        while let Some(line) = reader.next().await? {
            let text = String::from_utf8_lossy(&line.bytes);
            let prefix = if many { format!("{}: ", name(container)) } else { String::new() };
            let written = match line.stream {
                Stream::Stdout => writeln!(std::io::stdout(), "{prefix}{text}"),
                Stream::Stderr => writeln!(std::io::stderr(), "{prefix}{text}"),
            };
            match written {
                // Whoever reads has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
        }
    }
    Ok(())
}

fn name(container: &ContainerStatus) -> &str {
    container.labels.get(CONTAINER).map_or(container.id.as_str(), String::as_str)
}

/// The application's containers of the one task that is meant.
fn find(all: Vec<ContainerStatus>, args: &Args) -> Result<Vec<ContainerStatus>> {
    let wanted = args.task.rsplit('/').next().unwrap_or_default();
    if wanted.is_empty() {
        bail!("name a task by its id or ARN");
    }
    let task_of = |container: &ContainerStatus| {
        let arn = container.labels.get(TASK)?;
        Some(arn.rsplit('/').next()?.to_owned())
    };
    let mut tasks: Vec<String> = all.iter().filter_map(task_of).filter(|id| id.starts_with(wanted)).collect();
    tasks.sort();
    tasks.dedup();
    let [task] = tasks.as_slice() else {
        match tasks.len() {
            0 => bail!("no container of a task {wanted} is on this node"),
            count => bail!("{count} tasks begin with {wanted}; say more of the id"),
        }
    };
    let mut found: Vec<ContainerStatus> = all
        .into_iter()
        .filter(|container| task_of(container).as_ref() == Some(task) && container.labels.contains_key(CONTAINER))
        .filter(|container| args.container.as_ref().is_none_or(|wanted| name(container) == wanted))
        .collect();
    if found.is_empty() {
        bail!("the task has no container {}", args.container.as_deref().unwrap_or("on this node"));
    }
    found.sort_by(|a, b| name(a).cmp(name(b)));
    Ok(found)
}
