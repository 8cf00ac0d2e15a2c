//! ListLayers and ListLayerVersions.

use std::collections::BTreeMap;

use roadstead_api_lambda::{
    Architecture, LayerVersionsListItem, LayersListItem, ListLayerVersionsRequest, ListLayerVersionsResponse,
    ListLayersRequest, ListLayersResponse, Runtime,
};
use roadstead_base::Ctx;

use super::named::Layer;
use crate::Lambda;
use crate::error::Result;
use crate::page;
use crate::records::{self, LayerVersionRecord};

const PAGE: usize = 50;

/// Versions that say that they fit; what a version does not say, it does not fit.
struct Fit {
    runtime: Option<Runtime>,
    architecture: Option<Architecture>,
}

impl Fit {
    fn takes(&self, record: &LayerVersionRecord) -> bool {
        let says = |all: &[String], wanted: Option<&str>| {
            wanted.is_none_or(|wanted| all.iter().any(|one| one == wanted))
        };
        says(&record.runtimes, self.runtime.map(Runtime::as_str))
            && says(&record.architectures, self.architecture.map(Architecture::as_str))
    }

    /// For the scope of a marker.
    fn shown(&self) -> String {
        let runtime = self.runtime.map_or("", Runtime::as_str);
        let architecture = self.architecture.map_or("", Architecture::as_str);
        format!("{runtime}/{architecture}")
    }
}

/// By name, each with the newest version that fits.
pub(crate) fn list_layers(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListLayersRequest,
) -> Result<ListLayersResponse> {
    let ListLayersRequest {
        compatible_architecture,
        compatible_runtime,
        marker,
        max_items,
    } = input;
    let fit = Fit {
        runtime: compatible_runtime,
        architecture: compatible_architecture,
    };
    let within = records::layer_versions(&lambda.store).within(&ctx.partition());
    let snapshot = lambda.layer_versions.snapshot();
    let mut newest: BTreeMap<&str, &LayerVersionRecord> = BTreeMap::new();
    for entry in snapshot.below(&within).filter(|entry| fit.takes(&entry.value)) {
        // Numbers rise.
        newest.insert(&entry.value.layer, &entry.value);
    }
    let shown = newest.into_values().map(|record| {
        let layer = of(ctx, record);
        let item = LayersListItem {
            latest_matching_version: Some(item(&layer, record)),
            layer_arn: Some(layer.arn()),
            layer_name: Some(layer.name),
        };
        (page::key(&[&record.layer]), item)
    });
    let scope = format!("ListLayers/{}", fit.shown());
    let (layers, next_marker) = page::cut(ctx, &scope, shown.collect(), marker.as_deref(), max_items, PAGE)?;
    Ok(ListLayersResponse {
        layers: Some(layers),
        next_marker,
    })
}

/// The newest first. A layer that nobody published has none.
pub(crate) fn list_layer_versions(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListLayerVersionsRequest,
) -> Result<ListLayerVersionsResponse> {
    let ListLayerVersionsRequest {
        layer_name,
        compatible_architecture,
        compatible_runtime,
        marker,
        max_items,
    } = input;
    let layer = Layer::own(ctx, &layer_name, "ListLayerVersions", None)?;
    let fit = Fit {
        runtime: compatible_runtime,
        architecture: compatible_architecture,
    };
    let below = records::layer_versions(&lambda.store).key(&layer.partition, &layer.name);
    let snapshot = lambda.layer_versions.snapshot();
    let shown = snapshot.below(&below).filter(|entry| fit.takes(&entry.value));
    let shown = shown.map(|entry| {
        let key = format!("{:020}", u64::MAX - entry.value.number);
        (key, item(&layer, &entry.value))
    });
    let scope = format!("ListLayerVersions/{}/{}", layer.name, fit.shown());
    let (versions, next_marker) =
        page::cut(ctx, &scope, shown.collect(), marker.as_deref(), max_items, PAGE)?;
    Ok(ListLayerVersionsResponse {
        layer_versions: Some(versions),
        next_marker,
    })
}

fn of(ctx: &Ctx, record: &LayerVersionRecord) -> Layer {
    Layer {
        partition: ctx.partition(),
        name: record.layer.clone(),
    }
}

fn item(layer: &Layer, record: &LayerVersionRecord) -> LayerVersionsListItem {
    LayerVersionsListItem {
        compatible_architectures: super::architectures(record),
        compatible_runtimes: super::runtimes(record),
        created_date: Some(crate::show::time(record.created_at)),
        description: Some(record.description.clone()),
        layer_version_arn: Some(layer.version_arn(record.number)),
        license_info: record.license.clone(),
        version: i64::try_from(record.number).ok(),
    }
}
