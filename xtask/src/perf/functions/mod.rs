//! How quick functions are. Warm: a synchronous invocation against an HTTP round trip to the same handler in the same
//! interpreter, behind Python's own `http.server` on loopback, and against ministack, which keeps a process per
//! function. Cold: the first invocation of a version against starting that interpreter with the same imports.

pub(super) mod references;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use self::references::{Server, interpreter};
use super::client::{Cloud, Connection, authorization};
use super::{Series, checked};

/// Ratios of medians: warm, warm against ministack, cold.
const AIM_WARM: f64 = 1.3;
const AIM_MINISTACK: f64 = 0.1;
const AIM_COLD: f64 = 1.5;
const WARM_UP: usize = 20;
/// Invocations of one server before it is the next one's turn.
const TURN: usize = 20;
/// MB of the function: those that come with a whole CPU, which the references have too.
const MEMORY: u32 = 1_769;
const EVENT: &[u8] = br#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#;
const ECHO: &str = "def handler(event, context):\n    return event\n";
const BOTO3: &str = "import boto3\n\ndef handler(event, context):\n    return event\n";

#[derive(Args)]
pub(crate) struct Options {
    /// How many warm invocations of each server.
    #[arg(long, default_value_t = 400)]
    rounds: usize,
    /// How many cold starts of each kind.
    #[arg(long, default_value_t = 15)]
    starts: usize,
    /// A binary to measure in place of the release build, which then is not built.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
}

/// Prepares what needs a way out.
pub(crate) fn install(root: &Path, binary: Option<&Path>) -> Result<()> {
    references::install(root)?;
    let binary = super::measured(root, binary);
    checked(
        Command::new(binary)
            .args(["runtime", "install", "--missing", "python", "--runtimes"])
            .arg(root.join("target/runtimes")),
    )
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-functions-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let runtime = python(root)?;
    let runtimes = root.join("target/runtimes").display().to_string();
    let cloud = Cloud::start_with(
        &super::measured(root, options.binary.as_deref()),
        folder,
        &["--runtimes".to_owned(), runtimes],
    )?;
    let ministack = Server::ministack(root, folder)?;
    let code = write(folder, "echo", ECHO)?;
    let bare = Server::bare(&runtime, &code, folder)?;
    let zip = zip(&code)?;
    let mut ours = Functions::of(cloud.address(), "an invocation")?;
    let mut theirs = Functions::of(ministack.address(), "ministack: an invocation")?;
    for functions in [&mut ours, &mut theirs] {
        functions.create("echo", &zip)?;
    }
    warm(&mut ours, &bare, &mut theirs, options.rounds)?;
    for (name, source) in [("nothing", ECHO), ("boto3", BOTO3)] {
        let code = write(folder, name, source)?;
        cold(&mut ours, &mut theirs, &runtime, &code, name, options.starts)?;
    }
    Ok(())
}

/// In turns, so that whatever else the machine does falls on all.
fn warm(ours: &mut Functions, bare: &Server, theirs: &mut Functions, rounds: usize) -> Result<()> {
    let mut bare = Connection::to(bare.address())?;
    let mut all = [
        "an invocation",
        "the handler behind http.server",
        "ministack: an invocation",
        "an invocation after it stood still",
    ]
    .map(|name| Series {
        name,
        values: Vec::new(),
    });
    let [own, reference, other, still] = &mut all;
    for _ in 0..WARM_UP {
        ours.invoke("echo")?;
        call(&mut bare)?;
        theirs.invoke("echo")?;
    }
    for _ in 0..rounds.div_ceil(TURN) {
        // By now it may stand still, which is another number.
        ours.invoke("echo")?;
        for _ in 0..TURN {
            own.values.push(timed(|| ours.invoke("echo"))?);
        }
        for _ in 0..TURN {
            reference.values.push(timed(|| call(&mut bare))?);
        }
        for _ in 0..TURN {
            other.values.push(timed(|| theirs.invoke("echo"))?);
        }
    }
    for _ in 0..TURN {
        std::thread::park_timeout(Duration::from_millis(300));
        still.values.push(timed(|| ours.invoke("echo"))?);
    }
    all.iter().for_each(line);
    let [own, reference, other, _] = &all;
    verdict(
        "warm, of the handler behind http.server",
        own,
        reference,
        AIM_WARM,
    );
    verdict("warm, of ministack", own, other, AIM_MINISTACK);
    Ok(())
}

fn cold(
    ours: &mut Functions,
    theirs: &mut Functions,
    runtime: &Path,
    code: &Path,
    imports: &str,
    starts: usize,
) -> Result<()> {
    let zip = zip(code)?;
    println!("cold starts, {imports} imported");
    let mut all = [
        "a first invocation",
        "the interpreter, the same imports",
        "ministack: a first invocation",
    ]
    .map(|name| Series {
        name,
        values: Vec::new(),
    });
    let [own, reference, other] = &mut all;
    for round in 0..=starts {
        let name = format!("{imports}{round}");
        for functions in [&mut *ours, &mut *theirs] {
            functions.create(&name, &zip)?;
        }
        let durations = [
            timed(|| ours.invoke(&name))?,
            references::until_ready(&mut interpreter(
                runtime,
                code,
                &[
                    "-c".to_owned(),
                    "import awslambdaric.__main__, lambda_function, os; os.write(1, b'.')".to_owned(),
                ],
            ))?,
            timed(|| theirs.invoke(&name))?,
        ];
        for functions in [&mut *ours, &mut *theirs] {
            functions.delete(&name)?;
        }
        // The first of each only warms up.
        if round > 0 {
            for (series, duration) in [&mut *own, &mut *reference, &mut *other]
                .into_iter()
                .zip(durations)
            {
                series.values.push(duration);
            }
        }
    }
    all.iter().for_each(line);
    let [own, reference, other] = &all;
    verdict("cold, of the interpreter", own, reference, AIM_COLD);
    verdict("cold, of ministack", own, other, 1.0);
    Ok(())
}

fn timed(act: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let from = Instant::now();
    act()?;
    Ok(from.elapsed())
}

fn line(series: &Series) {
    let us = |share| series.quantile(share).as_secs_f64() * 1e6;
    println!(
        "{:<36} n {:>4}   median {:>8.0} us   p90 {:>8.0} us   p99 {:>8.0} us",
        series.name,
        series.values.len(),
        us(0.5),
        us(0.9),
        us(0.99)
    );
}

fn verdict(what: &str, ours: &Series, reference: &Series, aim: f64) {
    let ratio = ours.median().as_secs_f64() / reference.median().as_secs_f64();
    let verdict = if ratio <= aim { "met" } else { "missed" };
    println!("{what}: {ratio:.2} (aim: at most {aim}): {verdict}");
}

/// The runtime that Python functions get here.
fn python(root: &Path) -> Result<PathBuf> {
    let found = std::fs::read_dir(root.join("target/runtimes"))?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("python"));
    Ok(found.context("a runtime for Python in target/runtimes")?.path())
}

fn write(folder: &Path, name: &str, source: &str) -> Result<PathBuf> {
    let code = folder.join(format!("code-{name}"));
    std::fs::create_dir_all(&code)?;
    std::fs::write(code.join("lambda_function.py"), source)?;
    Ok(code)
}

/// The archive, as a request has it.
fn zip(code: &Path) -> Result<String> {
    checked(
        Command::new("/usr/bin/python3")
            .args(["-m", "zipfile", "-c", "code.zip", "lambda_function.py"])
            .current_dir(code),
    )?;
    Ok(STANDARD.encode(std::fs::read(code.join("code.zip"))?))
}

/// The handler behind the plain server.
fn call(connection: &mut Connection) -> Result<()> {
    let (status, answer) = connection.send("POST /", "", EVENT)?;
    if status != 200 || serde_json::from_str::<Value>(&answer)? != serde_json::from_slice::<Value>(EVENT)? {
        bail!("the plain server: {status} {answer}");
    }
    Ok(())
}

/// A server's functions.
struct Functions {
    connection: Connection,
    role: String,
    name: &'static str,
    answer: Value,
}

impl Functions {
    fn of(address: &str, name: &'static str) -> Result<Self> {
        let mut connection = Connection::to(address)?;
        let role = super::role(&mut connection, "perf-functions", "lambda.amazonaws.com")?;
        Ok(Self {
            connection,
            role,
            name,
            answer: serde_json::from_slice(EVENT)?,
        })
    }

    fn create(&mut self, name: &str, zip: &str) -> Result<()> {
        let input = json!({
            "FunctionName": name, "Runtime": "python3.11", "Handler": "lambda_function.handler", "Role": self.role,
            "MemorySize": MEMORY, "Timeout": 30, "Code": {"ZipFile": zip},
        });
        self.ask("POST /2015-03-31/functions", input.to_string().as_bytes(), 201)?;
        // Where it says that it is not ready to be invoked, that is not what is measured.
        for _ in 0..200 {
            let shown = self.ask(
                &format!("GET /2015-03-31/functions/{name}/configuration"),
                b"",
                200,
            )?;
            match serde_json::from_str::<Value>(&shown)?["State"].as_str() {
                Some("Pending") => std::thread::park_timeout(Duration::from_millis(50)),
                _ => return Ok(()),
            }
        }
        bail!("{}: {name} stays Pending", self.name)
    }

    fn delete(&mut self, name: &str) -> Result<()> {
        self.ask(&format!("DELETE /2015-03-31/functions/{name}"), b"", 204)?;
        Ok(())
    }

    fn invoke(&mut self, name: &str) -> Result<()> {
        let answer = self.ask(
            &format!("POST /2015-03-31/functions/{name}/invocations"),
            EVENT,
            200,
        )?;
        if serde_json::from_str::<Value>(&answer)? != self.answer {
            bail!("{}: {answer}", self.name);
        }
        Ok(())
    }

    fn ask(&mut self, line: &str, body: &[u8], expected: u16) -> Result<String> {
        let head = format!("Content-Type: application/json\r\n{}", authorization("lambda"));
        let (status, answer) = self.connection.send(line, &head, body)?;
        if status != expected {
            bail!("{}: {line}: {status} {answer}", self.name);
        }
        Ok(answer)
    }
}
