//! Runtimes that were prepared on this machine (`roadstead runtime install`): a root file system each, with the program
//! that asks the runtime API for work. An identifier that is older than what is here runs on the nearest newer one.

mod install;
mod programs;

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use install::{Failed, Kind, install};

/// Written last: a folder without it is half made.
const DESCRIPTION: &str = "runtime.json";

/// A runtime as it lies in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// `python3.11`, `nodejs20.x`, `provided`.
    pub name: String,
    /// Of the interpreter: `3.11.7`.
    pub version: String,
    /// The root file system.
    #[serde(skip)]
    pub root: PathBuf,
    /// What is run in it.
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Of what this program laid into it; empty of those that were prepared before there were marks.
    #[serde(default)]
    pub mark: String,
}

/// A family of identifiers, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Python(u32),
    Node(u32),
    Provided,
}

impl Identifier {
    fn parse(text: &str) -> Option<Self> {
        if let Some(minor) = text.strip_prefix("python3.") {
            return minor.parse().ok().map(Self::Python);
        }
        if let Some(major) = text.strip_prefix("nodejs") {
            return major.strip_suffix(".x")?.parse().ok().map(Self::Node);
        }
        ["provided", "provided.al2", "provided.al2023"]
            .contains(&text)
            .then_some(Self::Provided)
    }

    fn same_family(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    fn kind(self) -> Kind {
        match self {
            Self::Python(_) => Kind::Python,
            Self::Node(_) => Kind::Node,
            Self::Provided => Kind::Provided,
        }
    }
}

/// Which runtime takes the place of an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Installed(Box<Installed>),
    /// The family is known and nothing of it was prepared; what to do.
    Absent(String),
    /// It cannot be; why.
    Never(String),
}

/// Folder of the runtimes.
#[derive(Clone, Debug)]
pub struct Runtimes(PathBuf);

impl Runtimes {
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// What is there, by name.
    pub fn all(&self) -> Vec<Installed> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut all: Vec<Installed> = entries.filter_map(|entry| read(&entry.path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Whether one of the kind is there as [`install`] would make it now, whatever became of the machine's interpreter.
    pub fn has(&self, kind: Kind) -> bool {
        let is = |installed: &Installed| {
            let identifier = Identifier::parse(&installed.name);
            identifier.is_some_and(|identifier| identifier.kind() == kind) && installed.mark == kind.mark()
        };
        self.all().iter().any(is)
    }

    pub(crate) fn choose(&self, identifier: &str) -> Choice {
        choose(identifier, self.all())
    }
}

fn read(folder: &Path) -> Option<Installed> {
    let text = fs::read(folder.join(DESCRIPTION)).ok()?;
    let mut installed: Installed = serde_json::from_slice(&text).ok()?;
    installed.root = folder.join("root");
    Some(installed)
}

fn choose(identifier: &str, all: Vec<Installed>) -> Choice {
    let Some(wanted) = Identifier::parse(identifier) else {
        return Choice::Never(format!(
            "the runtimes that can be had here are python3.x, nodejs*.x and provided*, not {identifier}"
        ));
    };
    let of_family = |installed: Installed| {
        let is = Identifier::parse(&installed.name)?;
        is.same_family(wanted).then_some((is, installed))
    };
    let mut family: Vec<_> = all.into_iter().filter_map(of_family).collect();
    family.sort_by_key(|(is, _)| Reverse(*is));
    let newest = family.first().map(|(_, installed)| installed.name.clone());
    let fit = family.into_iter().rev().find(|(is, _)| *is >= wanted);
    match (fit, newest) {
        (Some((_, installed)), _) => Choice::Installed(Box::new(installed)),
        (None, Some(newest)) => Choice::Never(format!(
            "the newest runtime of its kind on this machine is {newest}, which is older than {identifier}"
        )),
        (None, None) => Choice::Absent(format!(
            "prepare it with `roadstead runtime install {}`",
            wanted.kind().name()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(name: &str) -> Installed {
        Installed {
            name: name.into(),
            version: String::new(),
            root: PathBuf::new(),
            command: Vec::new(),
            environment: Vec::new(),
            mark: String::new(),
        }
    }

    #[test]
    fn what_was_prepared_otherwise_is_as_good_as_missing() {
        let home = tempfile::Builder::new()
            .prefix("rs-sandbox-")
            .tempdir()
            .expect("a folder");
        let runtimes = Runtimes::at(home.path().to_owned());
        assert!(!runtimes.has(Kind::Provided));
        fs::create_dir(home.path().join("provided")).expect("made");
        let description = home.path().join("provided").join(DESCRIPTION);
        // By an older program, which laid something else into it, or said nothing of it.
        let now = Kind::Provided.mark();
        for (mark, has) in [(Some(now.as_str()), true), (Some("other"), false), (None, false)] {
            let mut said = serde_json::to_value(installed("provided")).expect("JSON");
            match mark {
                Some(mark) => said["mark"] = mark.into(),
                None => drop(said.as_object_mut().expect("an object").remove("mark")),
            }
            fs::write(&description, said.to_string()).expect("written");
            assert_eq!(runtimes.all().len(), 1, "it can be used all the same");
            assert_eq!(runtimes.has(Kind::Provided), has, "{mark:?}");
            assert!(!runtimes.has(Kind::Node));
        }
        let marks = [Kind::Python, Kind::Node, Kind::Provided].map(Kind::mark);
        assert!(
            marks
                .iter()
                .all(|mark| marks.iter().filter(|it| *it == mark).count() == 1)
        );
    }

    #[test]
    fn the_nearest_runtime_that_is_not_older_is_chosen() {
        let here = ["python3.11", "python3.13", "nodejs20.x", "provided"];
        for (identifier, chosen) in [
            ("python3.11", Some("python3.11")),
            ("python3.8", Some("python3.11")),
            ("python3.12", Some("python3.13")),
            ("python3.14", None),
            ("python2.7", None),
            ("python3", None),
            ("nodejs18.x", Some("nodejs20.x")),
            ("nodejs9.x", Some("nodejs20.x")),
            ("nodejs22.x", None),
            ("nodejs", None),
            ("provided", Some("provided")),
            ("provided.al2023", Some("provided")),
            ("provided.al2099", None),
            ("java21", None),
            ("", None),
        ] {
            let found = choose(identifier, here.map(installed).to_vec());
            match chosen {
                Some(name) => assert_eq!(
                    found,
                    Choice::Installed(Box::new(installed(name))),
                    "{identifier}"
                ),
                None => assert!(matches!(found, Choice::Never(_)), "{identifier}: {found:?}"),
            }
        }
        let absent = choose("python3.12", vec![installed("nodejs20.x")]);
        assert_eq!(
            absent,
            Choice::Absent("prepare it with `roadstead runtime install python`".into())
        );
    }
}
