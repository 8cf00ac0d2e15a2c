//! Programs of this machine in a root of their own: each with the libraries that the loader would give it, at the paths
//! where it looks.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
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

/// Folders in each other.
const MOST_DEEP: usize = 64;

/// Where Debian has scripts that several packages use.
const SCRIPTS: &str = "/usr/share/nodejs/";

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
            root.common(name)?;
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

    /// Copies a file or a folder, with what links in it lead to, and with times: compiled Python is only taken for what has
    /// the time it says. A link that leads nowhere is left out.
    pub(super) fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let target = self.at(to);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Failed::at(parent))?;
        }
        copy(from, &target, MOST_DEEP)
    }

    /// A program of this machine, and its libraries.
    pub(super) fn program(&mut self, from: &Path, to: &str) -> Result<()> {
        self.copy(from, to)?;
        self.libraries_of(from)
    }

    /// One that does without is left out where it does not run here either.
    fn common(&mut self, name: &str) -> Result<()> {
        let Some(program) = find(name) else {
            return Ok(());
        };
        match libraries(&program)? {
            Libraries::Missing(_) => Ok(()),
            Libraries::Found(_) => self.program(&program, &format!("usr/bin/{name}")),
        }
    }

    /// The libraries that a program or a library needs, at the paths where the loader finds them.
    pub(super) fn libraries_of(&mut self, file: &Path) -> Result<()> {
        let found = match libraries(file)? {
            Libraries::Found(found) => found,
            Libraries::Missing(which) => {
                return Err(Failed(format!(
                    "{}: a library is missing: {which}",
                    file.display()
                )));
            }
        };
        for path in found {
            if self.libraries.insert(path.clone()) {
                self.copy(&path, path.to_string_lossy().trim_start_matches('/'))?;
            }
        }
        Ok(())
    }

    /// Scripts that Debian's Node.js reads as it starts, since its package leaves parts of the program to others: those whose
    /// paths are in the program, or in the library that holds most of it.
    pub(super) fn scripts_of(&self, program: &Path) -> Result<()> {
        let mut parts = vec![program.to_owned()];
        if let Libraries::Found(found) = libraries(program)? {
            parts.extend(found.into_iter().filter(|path| is_libnode(path)));
        }
        for part in parts {
            let bytes = fs::read(&part).map_err(Failed::at(&part))?;
            for script in scripts_in(&bytes) {
                if Path::new(script).is_file() {
                    self.copy(Path::new(script), script.trim_start_matches('/'))?;
                }
            }
        }
        Ok(())
    }

    /// Runs a command of this root in it: what does not run here would run nowhere.
    pub(super) fn runs(&self, command: &[&str]) -> Result<()> {
        let Some(chroot) = find("chroot").filter(|_| nix::unistd::geteuid().is_root()) else {
            return Ok(());
        };
        let mut chroot = Command::new(chroot);
        chroot.arg(self.folder).args(command).env_clear();
        run(chroot.env("PATH", "/usr/bin:/bin"))
            .map_err(|Failed(why)| Failed(format!("{} does not run: {why}", command.join(" "))))
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

enum Libraries {
    Found(Vec<PathBuf>),
    /// The line that says so.
    Missing(String),
}

/// Those that the loader finds for a program or a library by itself: not where this process was told to look.
fn libraries(file: &Path) -> Result<Libraries> {
    let listed = Command::new("ldd")
        .arg(file)
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(Failed::at(Path::new("ldd")))?;
    let mut found = Vec::new();
    // What is no dynamic program needs none.
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let path = line.split_once("=>").map_or(line, |(_, path)| path);
        let path = path.split_whitespace().next().unwrap_or_default();
        if path == "not" {
            return Ok(Libraries::Missing(line.trim().to_owned()));
        }
        let path = PathBuf::from(path);
        if path.is_absolute() {
            found.push(path);
        }
    }
    Ok(Libraries::Found(found))
}

fn is_libnode(library: &Path) -> bool {
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("libnode.so")
}

fn scripts_in(bytes: &[u8]) -> Vec<&str> {
    let texts = bytes.split(|byte| *byte == 0);
    texts
        .filter(|text| text.starts_with(SCRIPTS.as_bytes()) && text.ends_with(b".js"))
        .filter_map(|text| std::str::from_utf8(text).ok())
        .collect()
}

fn copy(from: &Path, to: &Path, deep: usize) -> Result<()> {
    let found = match fs::metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && from.is_symlink() => return Ok(()),
        found => found.map_err(Failed::at(from))?,
    };
    if found.is_dir() {
        let Some(deep) = deep.checked_sub(1) else {
            return Err(Failed(format!("{}: its links lead in a circle", from.display())));
        };
        fs::create_dir_all(to).map_err(Failed::at(to))?;
        for entry in fs::read_dir(from).map_err(Failed::at(from))? {
            let entry = entry.map_err(Failed::at(from))?;
            copy(&entry.path(), &to.join(entry.file_name()), deep)?;
        }
    } else if found.is_file() {
        fs::copy(from, to).map_err(Failed::at(to))?;
    } else {
        return Ok(());
    }
    let times = FileTimes::new()
        .set_accessed(found.accessed().map_err(Failed::at(from))?)
        .set_modified(found.modified().map_err(Failed::at(from))?);
    let copied = File::open(to).map_err(Failed::at(to))?;
    copied.set_times(times).map_err(Failed::at(to))?;
    fs::set_permissions(to, found.permissions()).map_err(Failed::at(to))
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
    fn what_is_copied_is_what_links_lead_to_with_times_and_modes() {
        let home = tempfile::Builder::new()
            .prefix("rs-sandbox-")
            .tempdir()
            .expect("a folder");
        let at = |path: &str| home.path().join(path);
        fs::create_dir_all(at("from/deep")).expect("made");
        fs::write(at("from/deep/program"), "x").expect("written");
        fs::set_permissions(at("from/deep/program"), fs::Permissions::from_mode(0o750)).expect("set");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let program = File::open(at("from/deep/program")).expect("opens");
        program
            .set_times(FileTimes::new().set_modified(old))
            .expect("set");
        for (link, leads) in [
            ("file", "deep/program"),
            ("folder", "deep"),
            ("nowhere", "missing"),
        ] {
            std::os::unix::fs::symlink(leads, at("from").join(link)).expect("linked");
        }
        copy(&at("from"), &at("to"), MOST_DEEP).expect("copied");
        for file in ["to/file", "to/folder/program", "to/deep/program"] {
            let copied = fs::symlink_metadata(at(file)).expect("there");
            assert!(copied.is_file(), "{file}");
            assert_eq!(copied.permissions().mode() & 0o7777, 0o750, "{file}");
            assert_eq!(copied.modified().expect("a time"), old, "{file}");
        }
        assert!(!at("to/nowhere").is_symlink());
        std::os::unix::fs::symlink("..", at("from/deep/up")).expect("linked");
        let Failed(why) = copy(&at("from"), &at("again"), MOST_DEEP).expect_err("a circle");
        assert!(why.contains("circle"), "{why}");
        let Failed(why) = copy(&at("missing"), &at("again"), MOST_DEEP).expect_err("nothing there");
        assert!(why.contains("missing"), "{why}");
    }

    #[test]
    fn scripts_are_found_by_their_whole_paths() {
        let program = b"\x7fELF\0/usr/share/nodejs/a/lexer.js\0x/usr/share/nodejs/b.js\0/usr/share/nodejs/\0\
            /usr/share/nodejs/c.json\0/usr/share/nodejs/d.js\0";
        assert_eq!(
            scripts_in(program),
            ["/usr/share/nodejs/a/lexer.js", "/usr/share/nodejs/d.js"]
        );
    }

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
