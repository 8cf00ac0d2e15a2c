//! GetQueueAttributes and SetQueueAttributes.

use roadstead_api_sqs::{
    GetQueueAttributesRequest, GetQueueAttributesResult, QueueAttributeName as Name,
    SetQueueAttributesRequest,
};
use roadstead_base::Ctx;

use crate::Sqs;
use crate::attributes::{self, OF_QUEUES};
use crate::error::{Error, Result};
use crate::names;
use crate::records::{RedriveAllow, Settings};

pub(crate) fn get_queue_attributes(
    sqs: &Sqs,
    ctx: &Ctx,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult> {
    let GetQueueAttributesRequest {
        queue_url,
        attribute_names,
    } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    let mut wanted = attribute_names.unwrap_or_default();
    if let Some(other) = wanted
        .iter()
        .find(|name| **name != Name::All && !OF_QUEUES.contains(name))
    {
        return Err(Error::AttributeName(other.to_string()));
    }
    if wanted.contains(&Name::All) {
        wanted = OF_QUEUES.to_vec();
    }
    let counts = sqs
        .messages
        .backlog(queue.value.id)
        .queue()
        .counts(sqs.clock.now().0);
    let partition = ctx.partition();
    let shown = wanted.into_iter().filter_map(|name| {
        let value = attributes::show(name, &queue.value, &partition, counts)?;
        Some((name.to_string(), value))
    });
    Ok(GetQueueAttributesResult {
        attributes: Some(shown.collect())
            .filter(|shown: &std::collections::BTreeMap<_, _>| !shown.is_empty()),
    })
}

pub(crate) async fn set_queue_attributes(
    sqs: &Sqs,
    ctx: &Ctx,
    input: SetQueueAttributesRequest,
) -> Result<()> {
    let SetQueueAttributesRequest {
        attributes: given,
        queue_url,
    } = input;
    let now = sqs.clock.now();
    sqs.change(ctx, &queue_url, |queue| {
        let before = queue.settings.clone();
        attributes::apply(&mut queue.settings, &given, queue.fifo, false)?;
        if queue.settings.redrive != before.redrive {
            sqs.check_redrive(ctx, &queue.name, queue.fifo, &queue.settings)?;
        }
        if queue.settings != before {
            queue.modified_at = now;
        }
        Ok(())
    })
    .await?;
    // Whoever waits may wait for something else now.
    sqs.messages
        .backlog(sqs.queue(ctx, &queue_url)?.value.id)
        .arrived
        .notify_waiters();
    Ok(())
}

impl Sqs {
    /// Refuses dead letters that would go nowhere.
    pub(crate) fn check_redrive(&self, ctx: &Ctx, name: &str, fifo: bool, settings: &Settings) -> Result<()> {
        let Some(redrive) = &settings.redrive else {
            return Ok(());
        };
        let arn = &redrive.target_arn;
        let wrong = |reason: &str| {
            Err(Error::value(
                "RedrivePolicy",
                attributes::show_redrive(redrive),
                reason,
            ))
        };
        let partition = ctx.partition();
        let Some(target) = names::of_arn(&partition, arn) else {
            return wrong("deadLetterTargetArn is no queue of this account and region.");
        };
        if target == name {
            return wrong("Dead-letter target and source queue cannot be the same.");
        }
        let Some(found) = self.named(ctx, &target) else {
            return wrong("Dead letter target does not exist.");
        };
        if found.value.fifo != fifo {
            return wrong("Dead-letter queue must be same type of queue as the source.");
        }
        let source = names::arn(&partition, name);
        let allowed = match &found.value.settings.redrive_allow {
            None | Some(RedriveAllow::All) => true,
            Some(RedriveAllow::None) => false,
            Some(RedriveAllow::Queues(sources)) => sources.contains(&source),
        };
        if allowed {
            return Ok(());
        }
        wrong("The dead-letter queue's RedriveAllowPolicy does not allow this queue as a source.")
    }
}
