//! From the official models to checked-in code, in two steps: trim (needs botocore, run when an operation
//! is added) and generate (needs nothing, checked for drift in CI).

mod generate;
mod names;
mod row;
mod trim;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

#[derive(Args)]
pub(crate) struct Options {
    /// Only compare what is checked in with what would be generated.
    #[arg(long)]
    check: bool,
    /// The `data` folder of a botocore installation: trim its models anew before generating.
    #[arg(long)]
    botocore: Option<PathBuf>,
}

/// One service of `models/services.toml`.
#[derive(Deserialize)]
struct Service {
    name: String,
    /// botocore's folder and API version: `ecs/2014-11-13`.
    source: String,
    /// Name of the generated trait.
    r#trait: String,
    operations: Vec<String>,
    /// Members that clients send and no published model has.
    #[serde(default)]
    extra: Vec<Extra>,
    /// Values of enumerations that are documented in prose alone.
    #[serde(default)]
    values: Vec<ExtraValue>,
    /// The query protocol of a service whose published model has it no more.
    query: Option<Query>,
}

/// What a model said while its service spoke the query protocol first.
#[derive(Deserialize)]
struct Query {
    namespace: String,
    /// `Shape.member = "Name"`, where the name is another than the member's.
    names: BTreeMap<String, String>,
    /// Codes of errors where they are others than the names of their shapes, with statuses other than 400.
    codes: BTreeMap<String, (String, u16)>,
}

#[derive(Deserialize)]
struct Extra {
    shape: String,
    member: String,
    r#type: String,
}

#[derive(Deserialize)]
struct ExtraValue {
    shape: String,
    value: String,
}

#[derive(Deserialize)]
struct Services {
    service: Vec<Service>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let list = root.join("models/services.toml");
    let text = std::fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let services: Services = toml::from_str(&text).with_context(|| format!("reading {}", list.display()))?;
    let mut drifted = Vec::new();
    for service in &services.service {
        let model_path = root.join("models").join(format!("{}.json", service.name));
        if let Some(data) = &options.botocore {
            let trimmed = trim::trim(data, service)?;
            write_if_changed(&model_path, &trimmed, options.check, &mut drifted)?;
        }
        let text = std::fs::read_to_string(&model_path)
            .with_context(|| format!("reading {}; make it with --botocore", model_path.display()))?;
        let model: serde_json::Value = serde_json::from_str(&text)?;
        let source = root.join(format!("crates/wire/api-{}/src", service.name));
        for (file, text) in generate::generate(service, &model)? {
            write_if_changed(&source.join(file), &text, options.check, &mut drifted)?;
        }
    }
    if drifted.is_empty() {
        return Ok(());
    }
    bail!("out of date, run `cargo xtask models`: {}", drifted.join(", "))
}

fn write_if_changed(path: &Path, text: &str, check: bool, drifted: &mut Vec<String>) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if check {
        drifted.push(path.display().to_string());
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
