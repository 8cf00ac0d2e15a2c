//! DeleteQueue, with all its messages.

use roadstead_api_sqs::DeleteQueueRequest;
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Sqs;
use crate::error::{Error, Result};
use crate::names;
use crate::records;

pub(crate) async fn delete_queue(sqs: &Sqs, ctx: &Ctx, input: DeleteQueueRequest) -> Result<()> {
    let DeleteQueueRequest { queue_url } = input;
    let name = names::of_url(ctx, &queue_url)?;
    let partition = ctx.partition();
    let (table, graves) = (records::queues(&sqs.store), records::deleted(&sqs.store));
    let key = table.key(&partition, name);
    let Some(found) = table.get(&key).await? else {
        return Err(Error::NoSuchQueue);
    };
    let transaction = Transaction::new(&sqs.store)
        .compare_exists(&key)
        .delete(&key)
        .put(&graves, &graves.key(&partition, name), &sqs.clock.now());
    match transaction.commit().await? {
        Outcome::Committed(revision) => sqs.queues.wait_for(revision).await?,
        // Another deleted it.
        Outcome::Conflict => return Err(Error::NoSuchQueue),
    }
    sqs.messages.forget(found.value.id).await
}
