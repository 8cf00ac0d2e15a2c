//! ListQueues, and ListDeadLetterSourceQueues: the queues whose dead letters a queue takes. In order of names.

use roadstead_api_sqs::{
    ListDeadLetterSourceQueuesRequest, ListDeadLetterSourceQueuesResult, ListQueuesRequest, ListQueuesResult,
};
use roadstead_base::Ctx;

use crate::Sqs;
use crate::error::Result;
use crate::names;
use crate::page;
use crate::records::{self, QueueRecord};

impl Sqs {
    /// The queues of an account in a region, in order of names.
    pub(crate) fn all(&self, ctx: &Ctx, wanted: impl Fn(&QueueRecord) -> bool) -> Vec<String> {
        let snapshot = self.queues.snapshot();
        let within = records::queues(&self.store).within(&ctx.partition());
        let found = snapshot.below(&within).filter(|entry| wanted(&entry.value));
        let mut names: Vec<String> = found.map(|entry| entry.value.name.clone()).collect();
        names.sort();
        names
    }

    /// The queues whose dead letters go to this one.
    pub(crate) fn sources_of(&self, ctx: &Ctx, name: &str) -> Vec<String> {
        let arn = names::arn(&ctx.partition(), name);
        self.all(ctx, |queue| {
            let redrive = queue.settings.redrive.as_ref();
            redrive.is_some_and(|redrive| redrive.target_arn == arn)
        })
    }
}

pub(crate) fn list_queues(sqs: &Sqs, ctx: &Ctx, input: ListQueuesRequest) -> Result<ListQueuesResult> {
    let ListQueuesRequest {
        max_results,
        next_token,
        queue_name_prefix,
    } = input;
    let prefix = queue_name_prefix.unwrap_or_default();
    let names = sqs.all(ctx, |queue| queue.name.starts_with(&prefix));
    let scope = format!("ListQueues/{prefix}");
    let (names, next_token) = page::cut(ctx, &scope, names, max_results, next_token.as_deref())?;
    Ok(ListQueuesResult {
        next_token,
        queue_urls: Some(names.iter().map(|name| names::url(ctx, name)).collect())
            .filter(|urls: &Vec<_>| !urls.is_empty()),
    })
}

pub(crate) fn list_dead_letter_source_queues(
    sqs: &Sqs,
    ctx: &Ctx,
    input: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult> {
    let ListDeadLetterSourceQueuesRequest {
        queue_url,
        max_results,
        next_token,
    } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    let names = sqs.sources_of(ctx, &queue.value.name);
    let scope = format!("ListDeadLetterSourceQueues/{}", queue.value.name);
    let (names, next_token) = page::cut(ctx, &scope, names, max_results, next_token.as_deref())?;
    Ok(ListDeadLetterSourceQueuesResult {
        queue_urls: names.iter().map(|name| names::url(ctx, name)).collect(),
        next_token,
    })
}
