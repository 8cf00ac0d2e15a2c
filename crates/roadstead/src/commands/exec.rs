//! A program run in a task's container, for people who want to look: found on disk, so that the daemon need not run.
//! It has the container's user, limits and privileges, and ends with this command.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::termios::{self, SetArg, Termios};
use roadstead_agent::logs::Logs;
use roadstead_runtime::{ExecSpec, ExecStreams, Execution};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::DEFAULT_DATA;
use crate::place;

/// For output that is still in a pipe when its program has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A task's id or ARN, or the beginning of its id
    task: String,
    /// The container, if the task has several
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Run it as this user, `user[:group]`, instead of the container's own
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Run it in this folder of the container
    #[arg(long, value_name = "FOLDER")]
    workdir: Option<PathBuf>,
    /// Without a terminal, even if this is one
    #[arg(long)]
    no_terminal: bool,
    /// The daemon's data folder
    #[arg(long, env = "ROADSTEAD_DATA", default_value = DEFAULT_DATA, value_name = "FOLDER")]
    data: PathBuf,
    /// The program and its arguments
    #[arg(last = true, default_value = "sh", value_name = "COMMAND")]
    command: Vec<String>,
}

/// The program's exit code, or 128 + n for an end by signal n.
pub(crate) async fn run(args: Args) -> Result<u8> {
    let Some(instance) = place::known_instance(&args.data)? else {
        bail!("{} holds no Roadstead", args.data.display());
    };
    let tasks = Logs::open(&args.data, &instance).await?;
    let found = tasks.find(&args.task, args.container.as_deref())?;
    let [target] = found.as_slice() else {
        let names: Vec<&str> = found.iter().map(|target| target.container.as_str()).collect();
        bail!(
            "the task has several containers; choose one with --container: {}",
            names.join(", ")
        );
    };
    let tty = !args.no_terminal && io::stdin().is_terminal() && io::stdout().is_terminal();
    let term = std::env::var("TERM").ok().filter(|_| tty);
    let spec = ExecSpec {
        args: args.command,
        env: term.map(|term| ("TERM".to_owned(), term)).into_iter().collect(),
        cwd: args.workdir,
        user: args.user,
        tty,
    };
    let execution = tasks.exec(target, &spec).await?;
    let code = if tty {
        on_a_terminal(execution).await?
    } else {
        through_pipes(execution).await?
    };
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

async fn through_pipes(mut execution: Execution) -> Result<i32> {
    let nothing = || File::open("/dev/null").map(OwnedFd::from);
    let streams = std::mem::replace(&mut execution.streams, ExecStreams::Terminal(nothing()?));
    let ExecStreams::Pipes {
        input,
        output,
        errors,
    } = streams
    else {
        bail!("the program has no pipes");
    };
    // Its end of input is ours.
    copy(io::stdin(), File::from(input));
    let said = [
        copy(File::from(output), io::stdout()),
        copy(File::from(errors), io::stderr()),
    ];
    let code = execution.wait().await?;
    // Ends the helper, and with it what still holds the pipes open.
    drop(execution);
    drain(said).await;
    Ok(code)
}

/// Waits for what was said before the end; for what a child of the program still says, not for long.
async fn drain<const N: usize>(said: [JoinHandle<()>; N]) {
    let all = tokio::task::spawn_blocking(move || said.map(|copying| copying.join().is_ok()));
    if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
        tracing::debug!("somebody holds the program's output open");
    }
}

async fn on_a_terminal(execution: Execution) -> Result<i32> {
    let ExecStreams::Terminal(terminal) = &execution.streams else {
        bail!("the program has no terminal");
    };
    let (reading, writing) = (terminal.try_clone()?, terminal.try_clone()?);
    let _raw = Raw::enter().context("giving the terminal to the program")?;
    fit(&execution)?;
    copy(io::stdin(), File::from(writing));
    let said = copy(File::from(reading), io::stdout());
    let mut resized = signal(SignalKind::window_change())?;
    let ended = {
        let ended = execution.wait();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                ended = &mut ended => break ended?,
                _ = resized.recv() => fit(&execution)?,
            }
        }
    };
    drop(execution);
    drain([said]).await;
    Ok(ended)
}

/// Tells the program how large this terminal is.
fn fit(execution: &Execution) -> Result<()> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).context("asking for the size of the terminal")?;
    Ok(execution.resize(size.ws_row, size.ws_col)?)
}

/// Passes on what comes, as it comes, until the end or until nobody takes it.
fn copy(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut chunk = vec![0; 16 * 1024];
        // A terminal whose program has gone answers an error instead of the end.
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            if to.write_all(&chunk[..length]).and_then(|()| to.flush()).is_err() {
                break;
            }
        }
    })
}

/// This terminal without its own editing and signals, until dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Result<Self> {
        let stdin = io::stdin();
        let before = termios::tcgetattr(stdin.as_fd())?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The program's last word must not be lost over this.
        let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &self.0);
    }
}
