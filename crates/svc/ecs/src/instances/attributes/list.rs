//! ListAttributes: of all instances of a cluster, in order of instances, then names.

use roadstead_api_ecs::{Attribute, ListAttributesRequest, ListAttributesResponse, TargetType};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::named_cluster;
use crate::paging::Paging;
use crate::tables::instances_of;

pub(crate) async fn list_attributes(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListAttributesRequest,
) -> Result<ListAttributesResponse> {
    let ListAttributesRequest {
        target_type: TargetType::ContainerInstance,
        attribute_name,
        attribute_value,
        cluster,
        max_results,
        next_token,
    } = input;
    if attribute_value.is_some() && attribute_name.is_none() {
        return Err(Error::invalid(
            "attributeName must be given where attributeValue is.",
        ));
    }
    let cluster = named_cluster(ecs, ctx, cluster.as_deref()).await?;
    let given = |text: &Option<String>| text.as_ref().map_or(String::new(), |text| format!("={text}"));
    let (name, value) = (given(&attribute_name), given(&attribute_value));
    let filters = ["ListAttributes", cluster.as_str(), &name, &value];
    let paging = Paging::of(ctx, &filters, max_results, next_token.as_deref())?;
    let below = instances_of(&ctx.partition(), &cluster);
    let snapshot = ecs.present().await?.instances.snapshot();
    let mut found = Vec::new();
    for entry in snapshot.below(&below).filter(|entry| !entry.value.is_inactive()) {
        let arn = entry.value.name.arn();
        for (name, value) in &entry.value.attributes {
            let wanted = attribute_name.as_ref().is_none_or(|wanted| wanted == name)
                && (attribute_value.is_none() || attribute_value == *value);
            if wanted {
                let cursor = format!("{}/{name}", entry.value.name.id);
                let attribute = Attribute {
                    name: name.clone(),
                    value: value.clone(),
                    target_id: Some(arn.clone()),
                    target_type: None,
                };
                found.push((cursor, attribute));
            }
        }
    }
    let page = paging.cut(ctx, found, |(cursor, _)| cursor.clone(), false);
    Ok(ListAttributesResponse {
        attributes: Some(page.items.into_iter().map(|(_, attribute)| attribute).collect()),
        next_token: page.next_token,
    })
}
