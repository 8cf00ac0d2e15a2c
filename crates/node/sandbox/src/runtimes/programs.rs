//! Programs of this machine in a root of their own: each with the libraries that the loader would give it, at the paths
//! where it looks.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install::{Failed, Result};

/// What shell scripts and subprocesses of functions commonly use; those that this machine has.
pub(super) const COMMON: &[&str] = &[
    "sh",
    "bash",
    "awk",
    "base64",
    "basename",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "date",
    "df",
    "dirname",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "grep",
    "gzip",
    "head",
    "id",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "printenv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "xargs",
];

/// Of what a program says that fails.
const MOST_LINES: usize = 10;

/// A root file system in the making.
pub(super) struct Root<'a> {
    folder: &'a Path,
    /// Libraries that are there.
    libraries: BTreeSet<PathBuf>,
}

impl<'a> Root<'a> {
    /// With what every program expects.
    pub(super) fn make(folder: &'a Path) -> Result<Self> {
        let mut root = Self {
            folder,
            libraries: BTreeSet::new(),
        };
        for directory in [
            "bin",
            "dev",
            "etc",
            "opt",
            "proc",
            "sys",
            "tmp",
            "usr/bin",
            "usr/local/bin",
            "var/lang/bin",
            "var/lang/lib",
            "var/runtime",
            "var/task",
        ] {
            root.directory(directory)?;
        }
        root.write(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/false\nsbx_user1051:x:993:990::/tmp:/bin/false\n",
        )?;
        root.write("etc/group", "root:x:0:\nsbx_user:x:990:\n")?;
        root.write("etc/hosts", "127.0.0.1 localhost\n")?;
        root.write(
            "etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        )?;
        for file in ["/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo"] {
            if Path::new(file).exists() {
                root.copy(Path::new(file), file.trim_start_matches('/'))?;
            }
        }
        for name in COMMON {
            if let Some(program) = find(name) {
                root.program(&program, &format!("usr/bin/{name}"))?;
            }
        }
        // As merged file systems have it.
        for name in ["sh", "bash"] {
            if root.folder.join("usr/bin").join(name).exists() {
                let link = root.folder.join("bin").join(name);
                std::os::unix::fs::symlink(format!("/usr/bin/{name}"), &link).map_err(Failed::at(&link))?;
            }
        }
        Ok(root)
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub(super) fn directory(&self, path: &str) -> Result<()> {
        let path = self.at(path);
        fs::create_dir_all(&path).map_err(Failed::at(&path))
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.at(path);
        fs::write(&path, text).map_err(Failed::at(&path))
    }

    /// Makes a file of this root one that can be run.
    pub(super) fn runnable(&self, path: &str) -> Result<()> {
        let path = self.at(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(Failed::at(&path))
    }

    /// Copies a file or a folder, with times: compiled Python is only taken for what has the time it says.
    pub(super) fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let target = self.at(to);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Failed::at(parent))?;
        }
        let arguments = [
            OsStr::new("-rL"),
            OsStr::new("--preserve=mode,timestamps"),
            OsStr::new("-T"),
        ];
        run(Command::new("cp").args(arguments).arg(from).arg(&target))
    }

    /// A program of this machine, and its libraries.
    pub(super) fn program(&mut self, from: &Path, to: &str) -> Result<()> {
        self.copy(from, to)?;
        self.libraries_of(from)
    }

    /// The libraries that a program or a library needs, at the paths where the loader finds them.
    pub(super) fn libraries_of(&mut self, file: &Path) -> Result<()> {
        let listed = Command::new("ldd")
            .arg(file)
            .output()
            .map_err(Failed::at(Path::new("ldd")))?;
        // What is no dynamic program needs none.
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            let path = line.split_once("=>").map_or(line, |(_, path)| path);
            let path = path.split_whitespace().next().unwrap_or_default();
            if path == "not" {
                return Err(Failed(format!(
                    "{}: a library is missing: {}",
                    file.display(),
                    line.trim()
                )));
            }
            let path = PathBuf::from(path);
            if path.is_absolute() && self.libraries.insert(path.clone()) {
                self.copy(&path, path.to_string_lossy().trim_start_matches('/'))?;
            }
        }
        Ok(())
    }

    /// Those of every library below a folder of this root.
    pub(super) fn libraries_below(&mut self, path: &str) -> Result<()> {
        let mut folders = vec![self.at(path)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(Failed::at(&folder))?.flatten() {
                let path = entry.path();
                let kind = entry.file_type().map_err(Failed::at(&path))?;
                if kind.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "so") {
                    self.libraries_of(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// Where `PATH` has a program.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| {
            path.metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

pub(super) fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// What it printed.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = Path::new(command.get_program()).display().to_string();
    let done = command
        .output()
        .map_err(|error: io::Error| Failed(format!("{name}: {error}")))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Failed(format!(
        "{name}: {} ({})",
        first_words(said.trim()),
        done.status
    )))
}

/// A full disk is said of each file that does not fit.
fn first_words(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    match lines.len().checked_sub(MOST_LINES) {
        Some(more @ 1..) => format!("{}, and {more} more lines", lines[..MOST_LINES].join("\n")),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_told_in_few_lines() {
        let fails = |script: &str| run(Command::new("sh").args(["-c", script])).expect_err("fails").0;
        assert_eq!(fails("echo no >&2; exit 3"), "sh: no (exit status: 3)");
        let said = fails("for i in $(seq 1000); do echo no $i >&2; done; exit 1");
        assert!(said.starts_with("sh: no 1\nno 2\n"), "{said}");
        assert!(
            said.ends_with("no 10, and 990 more lines (exit status: 1)"),
            "{said}"
        );
    }
}
