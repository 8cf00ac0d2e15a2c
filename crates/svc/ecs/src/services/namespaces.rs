//! ListServicesByNamespace. There is no service discovery here, and so no namespace that a request could name.

use roadstead_api_ecs::{ListServicesByNamespaceRequest, ListServicesByNamespaceResponse, errors};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result};
use crate::paging::Paging;

pub(crate) async fn list_services_by_namespace(
    _ecs: &Ecs,
    ctx: &Ctx,
    input: ListServicesByNamespaceRequest,
) -> Result<ListServicesByNamespaceResponse> {
    let ListServicesByNamespaceRequest {
        namespace,
        max_results,
        next_token,
    } = input;
    if namespace.is_empty() {
        return Err(Error::invalid("Namespace can not be blank."));
    }
    Paging::of(
        ctx,
        &["ListServicesByNamespace", &namespace],
        max_results,
        next_token.as_deref(),
    )?;
    let shown: String = namespace.chars().take(128).collect();
    Err(Error::Other(errors::namespace_not_found_exception(format!(
        "The namespace {shown} could not be found."
    ))))
}
