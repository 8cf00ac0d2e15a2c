//! DeleteService. It says that the service is to go; the scheduler stops its tasks, and then it is INACTIVE.

use roadstead_api_ecs::{DeleteServiceRequest, DeleteServiceResponse};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::lookup::get_service;
use crate::services::news::News;
use crate::services::record::Scheduling;
use crate::services::show::{Include, show};
use crate::services::{ServiceStatus, write};

const TRIES: usize = 32;

pub(crate) async fn delete_service(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteServiceRequest,
) -> Result<DeleteServiceResponse> {
    let DeleteServiceRequest {
        service,
        cluster,
        force,
    } = input;
    for _ in 0..TRIES {
        let entry = get_service(ecs, ctx, cluster.as_deref(), &service).await?;
        let record = match entry.value.status {
            ServiceStatus::Inactive { .. } => return Err(Error::ServiceNotFound),
            ServiceStatus::Draining => entry.value.clone(),
            ServiceStatus::Active => {
                let scaled = entry.value.desired == 0 || entry.value.scheduling == Scheduling::Daemon;
                if !scaled && force != Some(true) {
                    return Err(Error::invalid(
                        "The service cannot be stopped while it is scaled above 0.",
                    ));
                }
                if !entry.value.sets.is_empty() && force != Some(true) {
                    return Err(Error::invalid(
                        "The service cannot be stopped while deployments are active.",
                    ));
                }
                let mut record = entry.value.clone();
                record.status = ServiceStatus::Draining;
                record.desired = 0;
                record.steady = false;
                record.stop_current("The service was deleted.", ecs.clock.now());
                let (transaction, record) = write::replace(
                    ecs,
                    Transaction::new(&ecs.store),
                    &entry,
                    record,
                    &News::default(),
                );
                match transaction.commit().await? {
                    Outcome::Committed(_) => record,
                    Outcome::Conflict => continue,
                }
            }
        };
        let service = show(ecs, &record, Include { tags: true }).await?;
        return Ok(DeleteServiceResponse {
            service: Some(service),
        });
    }
    Err(Error::Contended)
}
