//! Layers: archives that functions share. Each publication is a version that never changes; a function that has one
//! keeps it, whatever becomes of it here.

mod delete;
mod get;
mod list;
mod named;
mod policy;
mod publish;

pub(crate) use delete::delete_layer_version;
pub(crate) use get::{get_layer_version, get_layer_version_by_arn};
pub(crate) use list::{list_layer_versions, list_layers};
pub(crate) use policy::{
    add_layer_version_permission, document, get_layer_version_policy, remove_layer_version_permission,
};
pub(crate) use publish::publish_layer_version;

use roadstead_api_lambda::{Architecture, Runtime};
use roadstead_base::Ctx;

use self::named::Layer;
use crate::Lambda;
use crate::content::MAX_UNPACKED;
use crate::error::{Error, Result};
use crate::records::{self, Code, LayerUse, LayerVersionRecord};

/// Of a function. Source: "Lambda quotas".
const MAX_LAYERS: usize = 5;

impl Lambda {
    /// The layers that a function is to have, by their ARNs, the first at the bottom. What it has already it may keep,
    /// also when it was deleted meanwhile.
    pub(crate) fn layers_for(
        &self,
        ctx: &Ctx,
        arns: Vec<String>,
        have: &[LayerUse],
    ) -> Result<Vec<LayerUse>> {
        if arns.len() > MAX_LAYERS {
            return Err(Error::invalid(format!(
                "Cannot reference more than {MAX_LAYERS} layers."
            )));
        }
        let mut seen: Vec<(Layer, String)> = Vec::new();
        let mut layers = Vec::new();
        for arn in arns {
            let (layer, number) = Layer::version_of(ctx, &arn)?;
            if let Some((_, other)) = seen.iter().find(|(other, _)| *other == layer) {
                return Err(Error::invalid(format!(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. {other} and {arn}"
                )));
            }
            seen.push((layer.clone(), arn.clone()));
            if let Some(had) = have.iter().find(|had| had.arn == arn) {
                layers.push(had.clone());
                continue;
            }
            self.check_readable(ctx, &layer, number)?;
            let version = self.layer_version(&layer, number);
            let version =
                version.ok_or_else(|| Error::invalid(format!("Layer version {arn} does not exist.")))?;
            layers.push(LayerUse {
                arn: layer.version_arn(number),
                archive: version.archive,
            });
        }
        Ok(layers)
    }

    fn layer_version(&self, layer: &Layer, number: u64) -> Option<LayerVersionRecord> {
        let key = records::layer_version_key(&self.store, &layer.partition, &layer.name, number);
        self.layer_versions.get(&key).map(|entry| entry.value.clone())
    }

    /// One's own, or one whose policy lets the account use it.
    fn check_readable(&self, ctx: &Ctx, layer: &Layer, number: u64) -> Result<()> {
        let own = layer.partition.account == ctx.account;
        let lets_in = |version: LayerVersionRecord| policy::lets_in(&version.policy, &ctx.account);
        match own || self.layer_version(layer, number).is_some_and(lets_in) {
            true => Ok(()),
            false => Err(layer.denied(ctx, "GetLayerVersion", Some(number))),
        }
    }
}

/// Refuses what is too large together.
pub(crate) fn check_size(code: &Code, layers: &[LayerUse]) -> Result<()> {
    // An image has no layers of these, and bounds of its own.
    let Code::Archive(code) = code else {
        return Ok(());
    };
    let all = code.unpacked + layers.iter().map(|layer| layer.archive.unpacked).sum::<u64>();
    match all > MAX_UNPACKED {
        true => Err(Error::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {MAX_UNPACKED} bytes. The actual size is {all} bytes."
        ))),
        false => Ok(()),
    }
}

fn missing() -> Error {
    Error::NotFound("The resource you requested does not exist.".into())
}

/// A version's number, as requests have it.
fn number(given: i64) -> Result<u64> {
    match u64::try_from(given) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::invalid("Layer Version Cannot be less than 1")),
    }
}

fn runtimes(record: &LayerVersionRecord) -> Option<Vec<Runtime>> {
    let all: Vec<Runtime> = record
        .runtimes
        .iter()
        .filter_map(|one| Runtime::parse(one))
        .collect();
    (!all.is_empty()).then_some(all)
}

fn architectures(record: &LayerVersionRecord) -> Option<Vec<Architecture>> {
    let all = record.architectures.iter();
    let all: Vec<Architecture> = all.filter_map(|one| Architecture::parse(one)).collect();
    (!all.is_empty()).then_some(all)
}
