//! Prepares a runtime from what this machine has. Python: the interpreter with its library, and from PyPI the runtime
//! client (awslambdaric) and boto3. Node: the program, and a bootstrap of our own. Provided: shell and tools.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use roadstead_base::{derived_hex, random_hex};
use serde::Deserialize;

use super::programs::{COMMON, Root, find, output, run};
use super::{DESCRIPTION, Installed, read};

/// Why a runtime could not be prepared, for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub(super) String);

pub(super) type Result<T> = std::result::Result<T, Failed>;

impl Failed {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.display().to_string();
        move |error| Self(format!("{path}: {error}"))
    }
}

/// What can be prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Python,
    Node,
    Provided,
}

impl Kind {
    /// What `roadstead runtime install` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Provided => "provided",
        }
    }

    /// Another one as soon as [`install`] lays anything else of its own into the runtime.
    pub(super) fn mark(self) -> String {
        let parts = match self {
            Self::Python => [LEFT_OUT, PACKAGES].concat().join(" "),
            Self::Node => NODE_BOOTSTRAP.to_owned(),
            Self::Provided => PROVIDED_BOOTSTRAP.to_owned(),
        };
        derived_hex(
            &[FORM, self.name(), &COMMON.join(" "), &parts].join("\n"),
            "runtime",
            32,
        )
    }
}

/// How runtimes are laid out: another number when that changes in the code below.
const FORM: &str = "2";

/// Parts of Python's library that no function uses, and what belongs to the machine's own programs.
const LEFT_OUT: &[&str] = &[
    "test",
    "idlelib",
    "turtledemo",
    "tkinter",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "lib2to3",
];
const PACKAGES: &[&str] = &["awslambdaric", "boto3"];
const NODE_BOOTSTRAP: &str = include_str!("../../assets/bootstrap.mjs");
const PROVIDED_BOOTSTRAP: &str = include_str!("../../assets/bootstrap.sh");

/// Makes the runtime in a folder of its name below `folder`, in place of one that is there.
///
/// # Errors
/// What the machine lacks, or what went wrong; nothing is changed then.
pub fn install(folder: &Path, kind: Kind, interpreter: Option<&Path>) -> Result<Installed> {
    fs::create_dir_all(folder).map_err(Failed::at(folder))?;
    let part = folder.join(format!("part-{}", random_hex(12)));
    let made = make(&part, kind, interpreter).and_then(|installed| {
        let text = serde_json::to_vec_pretty(&installed).map_err(|error| Failed(error.to_string()))?;
        fs::write(part.join(DESCRIPTION), text).map_err(Failed::at(&part))?;
        let whole = folder.join(&installed.name);
        // Environments that run keep the old one: their mounts hold it.
        let old = folder.join(format!("part-{}", random_hex(12)));
        if whole.exists() {
            fs::rename(&whole, &old).map_err(Failed::at(&whole))?;
        }
        fs::rename(&part, &whole).map_err(Failed::at(&whole))?;
        Ok(whole)
    });
    // Also what an earlier one left.
    for entry in fs::read_dir(folder).map_err(Failed::at(folder))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("part-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let whole = made?;
    read(&whole).ok_or_else(|| Failed(format!("{} cannot be read back", whole.display())))
}

fn make(part: &Path, kind: Kind, interpreter: Option<&Path>) -> Result<Installed> {
    let folder = part.join("root");
    fs::create_dir_all(&folder).map_err(Failed::at(&folder))?;
    let root = Root::make(&folder)?;
    match kind {
        Kind::Python => python(root, interpreter, part),
        Kind::Node => node(root, interpreter),
        Kind::Provided => provided(&root, interpreter),
    }
}

/// What an interpreter says of itself.
#[derive(Deserialize)]
struct Python {
    executable: PathBuf,
    major: u32,
    minor: u32,
    version: String,
    library: PathBuf,
}

const ASK: &str = "import json, os, sys, sysconfig\n\
    print(json.dumps({'executable': os.path.realpath(getattr(sys, '_base_executable', sys.executable)), \
    'major': sys.version_info.major, 'minor': sys.version_info.minor, \
    'version': '.'.join(map(str, sys.version_info[:3])), 'library': sysconfig.get_paths()['stdlib']}))";

fn python(mut root: Root<'_>, interpreter: Option<&Path>, part: &Path) -> Result<Installed> {
    let program = the(interpreter, "python3", "Debian's python3")?;
    let said = output(Command::new(&program).args(["-c", ASK]))?;
    let python: Python = serde_json::from_slice(&said)
        .map_err(|error| Failed(format!("{} does not say what it is: {error}", program.display())))?;
    if python.major != 3 {
        return Err(Failed(format!(
            "{} is Python {}; it takes a Python 3",
            program.display(),
            python.version
        )));
    }
    let name = format!("python3.{}", python.minor);
    root.program(&python.executable, "var/lang/bin/python3")?;
    for link in ["python", &name] {
        let link = root.at("var/lang/bin").join(link);
        std::os::unix::fs::symlink("python3", &link).map_err(Failed::at(&link))?;
    }
    let library = format!("var/lang/lib/{name}");
    root.directory(&library)?;
    for entry in fs::read_dir(&python.library)
        .map_err(Failed::at(&python.library))?
        .flatten()
    {
        let file = entry.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.contains(&file.as_str()) || file.starts_with("config-") {
            continue;
        }
        // A link that leads nowhere is nothing to run.
        if entry.path().exists() {
            root.copy(&entry.path(), &format!("{library}/{file}"))?;
        }
    }
    let venv = part.join("venv");
    run(Command::new(&program).args(["-m", "venv"]).arg(&venv))
        .map_err(|Failed(why)| Failed(format!("{why}: is Debian's python3-venv there?")))?;
    run(Command::new(venv.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--only-binary",
            ":all:",
        ])
        .arg("--target")
        .arg(root.at("var/runtime"))
        .args(PACKAGES))?;
    fs::remove_dir_all(&venv).map_err(Failed::at(&venv))?;
    root.libraries_below(&library)?;
    root.libraries_below("var/runtime")?;
    root.runs(&[
        "/var/lang/bin/python3",
        "-B",
        "-c",
        "import sys; sys.path.insert(0, '/var/runtime'); import awslambdaric, boto3",
    ])?;
    let path = format!("/opt/python:/opt/python/lib/{name}/site-packages:/var/runtime");
    Ok(Installed {
        name,
        version: python.version,
        root: PathBuf::new(),
        command: ["/var/lang/bin/python3", "-m", "awslambdaric", "{handler}"]
            .map(str::to_owned)
            .to_vec(),
        environment: vec![("PYTHONPATH".into(), path)],
        mark: Kind::Python.mark(),
    })
}

fn node(mut root: Root<'_>, interpreter: Option<&Path>) -> Result<Installed> {
    let program = the(interpreter, "node", "Debian's nodejs")?;
    let said = output(Command::new(&program).arg("--version"))?;
    let version = String::from_utf8_lossy(&said)
        .trim()
        .trim_start_matches('v')
        .to_owned();
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .ok_or_else(|| {
            Failed(format!(
                "{} does not say its version: {version}",
                program.display()
            ))
        })?;
    let real = fs::canonicalize(&program).map_err(Failed::at(&program))?;
    root.program(&real, "var/lang/bin/node")?;
    root.scripts_of(&real)?;
    root.write("var/runtime/bootstrap.mjs", NODE_BOOTSTRAP)?;
    root.runs(&["/var/lang/bin/node", "--check", "/var/runtime/bootstrap.mjs"])?;
    let path =
        format!("/opt/nodejs/node_modules:/opt/nodejs/node{major}/node_modules:/var/runtime/node_modules");
    Ok(Installed {
        name: format!("nodejs{major}.x"),
        version,
        root: PathBuf::new(),
        command: ["/var/lang/bin/node", "/var/runtime/bootstrap.mjs"]
            .map(str::to_owned)
            .to_vec(),
        environment: vec![("NODE_PATH".into(), path)],
        mark: Kind::Node.mark(),
    })
}

fn provided(root: &Root<'_>, interpreter: Option<&Path>) -> Result<Installed> {
    if interpreter.is_some() {
        return Err(Failed("a provided runtime has no interpreter".to_owned()));
    }
    root.write("var/runtime/bootstrap", PROVIDED_BOOTSTRAP)?;
    root.runnable("var/runtime/bootstrap")?;
    Ok(Installed {
        name: "provided".into(),
        version: std::env::consts::ARCH.into(),
        root: PathBuf::new(),
        command: vec!["/var/runtime/bootstrap".into()],
        environment: Vec::new(),
        mark: Kind::Provided.mark(),
    })
}

fn the(interpreter: Option<&Path>, name: &str, package: &str) -> Result<PathBuf> {
    match interpreter {
        Some(path) => Ok(path.to_owned()),
        None => {
            find(name).ok_or_else(|| Failed(format!("there is no {name} on this machine: install {package}")))
        }
    }
}
