//! UpdateCluster and UpdateClusterSettings. A cluster's one setting has one value here, which it has already, so that
//! nothing is left to write.

use roadstead_api_ecs::{
    Cluster, ClusterSetting, UpdateClusterRequest, UpdateClusterResponse, UpdateClusterSettingsRequest,
    UpdateClusterSettingsResponse,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::clusters::active_cluster;
use crate::clusters::create::check_settings;
use crate::clusters::show::{Include, show};
use crate::error::{Error, Result, refuse};

pub(crate) async fn update_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateClusterRequest,
) -> Result<UpdateClusterResponse> {
    let UpdateClusterRequest {
        cluster,
        configuration,
        service_connect_defaults,
        settings,
    } = input;
    refuse("configuration", configuration)?;
    refuse("serviceConnectDefaults", service_connect_defaults)?;
    let cluster = set(ecs, ctx, &cluster, settings.unwrap_or_default()).await?;
    Ok(UpdateClusterResponse {
        cluster: Some(cluster),
    })
}

pub(crate) async fn update_cluster_settings(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateClusterSettingsRequest,
) -> Result<UpdateClusterSettingsResponse> {
    let UpdateClusterSettingsRequest { cluster, settings } = input;
    if settings.is_empty() {
        return Err(Error::invalid("settings can not be empty."));
    }
    let cluster = set(ecs, ctx, &cluster, settings).await?;
    Ok(UpdateClusterSettingsResponse {
        cluster: Some(cluster),
    })
}

async fn set(ecs: &Ecs, ctx: &Ctx, cluster: &str, settings: Vec<ClusterSetting>) -> Result<Cluster> {
    check_settings(settings)?;
    let entry = active_cluster(ecs, ctx, Some(cluster)).await?;
    let include = Include {
        settings: true,
        tags: true,
        statistics: false,
    };
    show(ecs, ctx, &entry.value, include).await
}
