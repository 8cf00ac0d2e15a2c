//! The habits that a compiler does not hold: each finding names the file, the line and the habit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use regex::Regex;

/// Longer files are split; tests count.
const MAX_LINES: usize = 600;
/// How far above an `unsafe` its reasons may stand.
const REASONS_WITHIN: usize = 12;

struct Source {
    path: PathBuf,
    text: String,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut findings = Vec::new();
    let sources = rust_sources(root)?;
    for source in &sources {
        lengths(source, &mut findings);
        docs(source, &mut findings);
        unsafety(source, &mut findings)?;
        destructuring(source, &mut findings)?;
        places(root, source, &mut findings);
    }
    every_request_is_taken_apart(root, &sources, &mut findings)?;
    services_stand_alone(root, &mut findings)?;
    if findings.is_empty() {
        println!("tidy: {} files", sources.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!("{} findings", findings.len())
}

/// Files that git knows or would add, but for the generated ones.
fn rust_sources(root: &Path) -> Result<Vec<Source>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .context("running git ls-files")?;
    let mut sources = Vec::new();
    for name in String::from_utf8(output.stdout)?.lines() {
        let path = root.join(name);
        if name.contains("/api-") || !path.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
        sources.push(Source {
            path: PathBuf::from(name),
            text,
        });
    }
    Ok(sources)
}

fn lengths(source: &Source, findings: &mut Vec<String>) {
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        findings.push(format!(
            "{}: {lines} lines; split it (at most {MAX_LINES})",
            source.path.display()
        ));
    }
}

fn docs(source: &Source, findings: &mut Vec<String>) {
    let only_modules = source.text.lines().all(|line| {
        line.is_empty() || line.starts_with("pub") || line.starts_with("mod ") || line.starts_with("//")
    });
    if !source.text.starts_with("//!") && !only_modules {
        findings.push(format!(
            "{}:1: begin with why the module exists (//!)",
            source.path.display()
        ));
    }
}

fn unsafety(source: &Source, findings: &mut Vec<String>) -> Result<()> {
    let used = Regex::new(r"\bunsafe\s*(\{|fn|impl|extern)")?;
    let lines: Vec<&str> = source.text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("//") || !used.is_match(line) {
            continue;
        }
        let at = format!("{}:{}", source.path.display(), index + 1);
        if !source.path.starts_with("crates/node") {
            findings.push(format!("{at}: unsafe lives in crates/node alone"));
            continue;
        }
        let above = lines[index.saturating_sub(REASONS_WITHIN)..=index].join("\n");
        for reason in ["JUSTIFICATION:", "SAFETY:"] {
            if !above.contains(reason) {
                findings.push(format!("{at}: unsafe without its {reason}"));
            }
        }
    }
    Ok(())
}

/// Requests are taken apart whole: neither `..` nor `member: _`.
fn destructuring(source: &Source, findings: &mut Vec<String>) -> Result<()> {
    if !source.path.starts_with("crates/svc")
        || source.path.components().any(|part| part.as_os_str() == "tests")
    {
        return Ok(());
    }
    let pattern = Regex::new(r"let\s+(?:\w+::)*(\w+Request)\s*\{([^}]*)\}\s*=")?;
    let dropped = Regex::new(r":\s*_\s*(,|$)")?;
    for found in pattern.captures_iter(&source.text) {
        let (name, members) = (&found[1], &found[2]);
        let line = source.text[..found.get(0).map_or(0, |whole| whole.start())]
            .lines()
            .count()
            + 1;
        if members.contains("..") || dropped.is_match(members) {
            findings.push(format!(
                "{}:{line}: take {name} apart whole, without .. or _",
                source.path.display()
            ));
        }
    }
    Ok(())
}

/// Every implemented operation's request is taken apart somewhere.
fn every_request_is_taken_apart(root: &Path, sources: &[Source], findings: &mut Vec<String>) -> Result<()> {
    for file in std::fs::read_dir(root.join("models"))? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let model: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let service = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let folder = PathBuf::from(format!("crates/svc/{service}"));
        let inputs: BTreeSet<&str> = model["operations"]
            .as_object()
            .into_iter()
            .flat_map(|operations| operations.values())
            .filter_map(|operation| operation["input"]["shape"].as_str())
            .collect();
        for input in inputs {
            let taken = Regex::new(&format!(r"let\s+(?:\w+::)*{input}\s*\{{"))?;
            if !sources
                .iter()
                .any(|source| source.path.starts_with(&folder) && taken.is_match(&source.text))
            {
                findings.push(format!("{}: no handler takes {input} apart", folder.display()));
            }
        }
    }
    Ok(())
}

fn services_stand_alone(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let folder = root.join("crates/svc");
    let services: Vec<String> = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    for service in &services {
        let manifest = std::fs::read_to_string(folder.join(service).join("Cargo.toml"))?;
        for other in services.iter().filter(|other| *other != service) {
            if manifest
                .lines()
                .any(|line| line.starts_with(&format!("roadstead-{other}")))
            {
                findings.push(format!(
                    "crates/svc/{service}: a service never imports another ({other})"
                ));
            }
        }
    }
    Ok(())
}

/// No path of the machine the project happens to lie on.
fn places(root: &Path, source: &Source, findings: &mut Vec<String>) {
    // The checkout itself: what lies around it is as likely a path of any machine.
    let place = format!("{}/", root.display());
    for (index, line) in source.text.lines().enumerate() {
        if line.contains(&place) {
            findings.push(format!(
                "{}:{}: a path of this machine",
                source.path.display(),
                index + 1
            ));
        }
    }
}
