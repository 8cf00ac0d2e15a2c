//! What comes into the binary from elsewhere: licences, sources, banned crates and yanked versions, held to
//! `deny.toml` without a network. Advisories need a database that only a network has; `cargo deny check` reads the
//! same file where there is one.

mod index;
mod policy;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use self::index::{Index, Standing};
use self::policy::Policy;

/// The one registry that dependencies come from, as `cargo metadata` names it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Clone, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    license_file: Option<String>,
    /// None of the workspace's own.
    source: Option<String>,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let path = root.join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let policy = Policy::parse(&text)?;
    let packages = packages(root)?;
    let mut findings = Vec::new();
    for package in &packages {
        judge(&policy, package, &mut findings);
    }
    let index = Index::of_this_machine();
    let mut unknown = 0;
    for package in packages.iter().filter(|package| package.source.is_some()) {
        match index.standing(&package.name, &package.version) {
            Standing::Good => {}
            Standing::Yanked => findings.push(format!(
                "{} {}: withdrawn by its authors; `cargo update --package {}`",
                package.name, package.version, package.name
            )),
            Standing::Unknown => unknown += 1,
        }
    }
    for (name, versions) in twice(&packages) {
        println!(
            "note: {name} is there in {} versions: {}",
            versions.len(),
            versions.join(", ")
        );
    }
    if unknown > 0 {
        println!(
            "note: of {unknown} packages this machine's copy of the index does not say whether they were withdrawn"
        );
    }
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("supply: {} packages", packages.len());
    Ok(())
}

/// What a build for this kind of machine takes in, from the lock file and what was already downloaded.
fn packages(root: &Path) -> Result<Vec<Package>> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            &target,
        ])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    Ok(metadata.packages)
}

fn judge(policy: &Policy, package: &Package, findings: &mut Vec<String>) {
    let Package {
        name,
        version,
        license,
        license_file,
        source,
    } = package;
    let Some(source) = source else { return };
    let at = format!("{name} {version}");
    if source != REGISTRY {
        findings.push(format!("{at}: comes from {source}, not from the registry"));
    }
    if let Some(reason) = policy.ban(name) {
        findings.push(format!("{at}: banned: {reason}"));
    }
    // What deny.toml clarifies stands in for what the crate does not state.
    let license = license.as_deref().or_else(|| policy.clarified(name));
    match (license, license_file) {
        (Some(license), _) => {
            if let Err(why) = policy.license(name, license) {
                findings.push(format!("{at}: {why}"));
            }
        }
        (None, Some(file)) => findings.push(format!(
            "{at}: states its licence only in the file {file}; read it, then clarify it in deny.toml"
        )),
        (None, None) => findings.push(format!("{at}: states no licence")),
    }
}

/// Crates of which more than one version is built.
fn twice(packages: &[Package]) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(source: Option<&str>, license: Option<&str>) -> Package {
        Package {
            name: "one".into(),
            version: "1.0.0".into(),
            license: license.map(Into::into),
            license_file: None,
            source: source.map(Into::into),
        }
    }

    #[test]
    fn what_comes_from_elsewhere_is_judged_and_what_is_ours_is_not() {
        let policy =
            Policy::parse("[licenses]\nallow = ['MIT']\n[[bans.deny]]\nname = 'two'\nreason = 'why'\n")
                .expect("a policy");
        let git = Some("git+https://example.org/one");
        for (package, finding) in [
            (package(None, None), None),
            (package(Some(REGISTRY), Some("MIT")), None),
            (
                package(Some(REGISTRY), Some("GPL-3.0-only")),
                Some("GPL-3.0-only"),
            ),
            (package(Some(REGISTRY), None), Some("states no licence")),
            (package(git, Some("MIT")), Some("not from the registry")),
            (
                Package {
                    name: "two".into(),
                    ..package(Some(REGISTRY), Some("MIT"))
                },
                Some("banned: why"),
            ),
        ] {
            let mut findings = Vec::new();
            judge(&policy, &package, &mut findings);
            match finding {
                None => assert!(findings.is_empty(), "{findings:?}"),
                Some(words) => assert!(findings.len() == 1 && findings[0].contains(words), "{findings:?}"),
            }
        }
    }
}
