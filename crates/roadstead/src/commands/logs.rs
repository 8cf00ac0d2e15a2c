//! What a task wrote, read from disk: the daemon need not run.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use roadstead_agent::logs::{LogError, Logs};
use roadstead_runtime::{LogQuery, Stream};

use crate::config::DEFAULT_DATA;
use crate::place;

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
    let logs = Logs::open(&args.data, &instance).await?;
    let found = logs.find(&args.task, args.container.as_deref())?;
    let many = found.len() > 1;
    if args.follow && many {
        let names: Vec<&str> = found.iter().map(|target| target.container.as_str()).collect();
        bail!(
            "the task has several containers; choose one with --container: {}",
            names.join(", ")
        );
    }
    for target in &found {
        let query = LogQuery {
            tail: args.tail,
            follow: args.follow,
            stream: None,
        };
        let mut reader = match logs.read(target, query) {
            // One of several that was never started has written nothing.
            Err(LogError::Runtime(roadstead_runtime::Error::NotFound(_))) if many => continue,
            reader => reader?,
        };
        while let Some(line) = reader.next().await? {
            let text = String::from_utf8_lossy(&line.bytes);
            let prefix = if many {
                format!("{}: ", target.container)
            } else {
                String::new()
            };
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
