//! CreateQueue. One that is there with the same attributes is answered as if it were made now.

use roadstead_api_sqs::{CreateQueueRequest, CreateQueueResult, QueueAttributeName};
use roadstead_base::Ctx;
use roadstead_queue::Counts;
use roadstead_store::{Outcome, Transaction};

use crate::Sqs;
use crate::attributes;
use crate::error::{Error, Result};
use crate::names;
use crate::ops::tags;
use crate::records::{self, QueueRecord, Settings};

/// For so long the name of a queue that was deleted is not free.
const REST: i64 = 60_000;
/// So often it is tried while others make the same queue.
const TRIES: usize = 8;

pub(crate) async fn create_queue(
    sqs: &Sqs,
    ctx: &Ctx,
    input: CreateQueueRequest,
) -> Result<CreateQueueResult> {
    let CreateQueueRequest {
        queue_name,
        attributes,
        tags,
    } = input;
    let given = attributes.unwrap_or_default();
    let fifo = names::check(&queue_name)?;
    if given.get("FifoQueue").is_some_and(|value| value == "true") && !fifo {
        return Err(Error::Value(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length"
                .into(),
        ));
    }
    if fifo && !given.contains_key("FifoQueue") {
        return Err(Error::Value(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length".into(),
        ));
    }
    let mut settings = Settings::default();
    attributes::apply(&mut settings, &given, fifo, true)?;
    sqs.check_redrive(ctx, &queue_name, fifo, &settings)?;
    let tags = tags::checked(tags.unwrap_or_default())?;
    let answer = CreateQueueResult {
        queue_url: Some(names::url(ctx, &queue_name)),
    };
    let partition = ctx.partition();
    let (table, graves) = (records::queues(&sqs.store), records::deleted(&sqs.store));
    let key = table.key(&partition, &queue_name);
    let grave = graves.key(&partition, &queue_name);
    for _ in 0..TRIES {
        if let Some(found) = table.get(&key).await? {
            // Another may have made it just now.
            sqs.queues.wait_for(found.revision).await?;
            return same(&found.value, &given, &tags, ctx).map(|()| answer);
        }
        let now = sqs.clock.now();
        let buried = graves.get(&grave).await?;
        if buried
            .as_ref()
            .is_some_and(|buried| now.0 < buried.value.0 + REST)
        {
            return Err(Error::DeletedRecently);
        }
        let record = QueueRecord {
            id: sqs.messages.numbers.take(1).await?,
            name: queue_name.clone(),
            fifo,
            settings: settings.clone(),
            tags: tags.clone(),
            created_at: now,
            modified_at: now,
            purged_at: None,
        };
        let transaction = Transaction::new(&sqs.store)
            .insert(&table, &key, &record)
            .delete(&grave);
        if let Outcome::Committed(revision) = transaction.commit().await? {
            sqs.queues.wait_for(revision).await?;
            return Ok(answer);
        }
    }
    Err(Error::Contended)
}

/// Whether what was given is what the queue has.
fn same(
    queue: &QueueRecord,
    given: &std::collections::BTreeMap<String, String>,
    tags: &std::collections::BTreeMap<String, String>,
    ctx: &Ctx,
) -> Result<()> {
    let mut wanted = queue.clone();
    attributes::apply(&mut wanted.settings, given, queue.fifo, true)?;
    let partition = ctx.partition();
    for name in given.keys().filter_map(|name| QueueAttributeName::parse(name)) {
        let show = |queue| attributes::show(name, queue, &partition, Counts::default());
        if show(queue) != show(&wanted) {
            return Err(Error::NameExists(format!("attribute {name}")));
        }
    }
    match tags.is_empty() || *tags == queue.tags {
        true => Ok(()),
        false => Err(Error::NameExists("its tags".into())),
    }
}
