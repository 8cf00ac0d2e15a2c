//! Activities: work that Step Functions hands to whoever polls for it. Here they are made, shown, listed and deleted.

mod offers;
mod poll;

use roadstead_api_stepfunctions::{
    ActivityListItem, CreateActivityInput, CreateActivityOutput, DeleteActivityInput, DeleteActivityOutput,
    DescribeActivityInput, DescribeActivityOutput, EncryptionConfiguration, EncryptionType,
    ListActivitiesInput, ListActivitiesOutput,
};
use roadstead_base::{Ctx, Partition, Tags};
use roadstead_store::{Change, Entry, Key, Outcome, Snapshot, Transaction};

use crate::error::{Error, Result};
use crate::machines::encryption;
use crate::names::{self, activity_arn};
use crate::records::{self, ActivityRecord, ExecutionRecord};
use crate::{States, jobs, page, tags};

pub(crate) use offers::Offers;
pub(crate) use poll::get_activity_task;

impl States {
    pub(crate) fn activity_key(&self, partition: &Partition, name: &str) -> Key {
        records::activities(&self.store).key(partition, name)
    }

    pub(crate) fn activity(&self, ctx: &Ctx, name: &str) -> Result<ActivityRecord> {
        let partition = ctx.partition();
        let found = self.activities.get(&self.activity_key(&partition, name));
        let missing = || Error::NoSuchActivity(activity_arn(&partition, name));
        found.map(|entry| entry.value.clone()).ok_or_else(missing)
    }

    pub(crate) async fn change_activity(
        &self,
        ctx: &Ctx,
        name: &str,
        mut change: impl FnMut(&mut ActivityRecord) -> Result<()>,
    ) -> Result<()> {
        let partition = ctx.partition();
        let update = |found: Option<&ActivityRecord>| {
            let missing = || Error::NoSuchActivity(activity_arn(&partition, name));
            let mut record = found.ok_or_else(missing)?.clone();
            change(&mut record)?;
            Ok::<_, Error>(Change::Put(record))
        };
        let key = self.activity_key(&partition, name);
        let updated = records::activities(&self.store).update(&key, update).await?;
        self.activities.wait_for(updated.revision).await?;
        Ok(())
    }

    /// The activities that a task of this account and region can be scheduled for now.
    pub(crate) fn registered(&self, partition: Partition) -> Registered {
        Registered {
            within: records::activities(&self.store).within(&partition),
            partition,
            snapshot: self.activities.snapshot(),
        }
    }
}

/// The activities there are at one moment.
pub(crate) struct Registered {
    partition: Partition,
    within: Key,
    snapshot: Snapshot<ActivityRecord>,
}

impl Registered {
    pub(crate) fn has(&self, arn: &str) -> bool {
        let name = names::own_activity(&self.partition, arn);
        name.is_some_and(|name| self.snapshot.get(&self.within.child(name)).is_some())
    }
}

/// Offers the tasks of an execution that wait for workers, and no others of it any more.
pub(crate) fn offer(states: &States, partition: &Partition, entry: &Entry<ExecutionRecord>) {
    let polled = entry.value.orders.iter().filter(|order| jobs::is_polled(order));
    let offered = polled.filter_map(|order| {
        let name = names::own_activity(partition, order.resource.arn())?;
        let offer = offers::Offer {
            given: order.given,
            execution: entry.key.clone(),
            task: order.task,
        };
        Some((states.activity_key(partition, &name), offer))
    });
    states.work.offers.set(&entry.key, offered.collect());
}

/// A second call with the same name is the first one again; the tags do not matter then, the encryption does.
pub(crate) async fn create_activity(
    states: &States,
    ctx: &Ctx,
    input: CreateActivityInput,
) -> Result<CreateActivityOutput> {
    let CreateActivityInput {
        name,
        encryption_configuration,
        tags: given,
    } = input;
    if !names::is_name(&name) {
        return Err(Error::InvalidName(name));
    }
    let tags = tags::checked(given.unwrap_or_default(), Tags::default())?;
    let partition = ctx.partition();
    let arn = activity_arn(&partition, &name);
    let key = states.activity_key(&partition, &name);
    let table = records::activities(&states.store);
    let encryption = encryption(encryption_configuration);
    if let Some(found) = table.get(&key).await? {
        if encryption.is_err() {
            return Err(Error::ActivityExists(arn));
        }
        return again(states, arn, found).await;
    }
    encryption?;
    let most = states.options.max_activities;
    if states
        .activities
        .snapshot()
        .below(&table.within(&partition))
        .count()
        >= most
    {
        return Err(Error::TooManyActivities(most));
    }
    let record = ActivityRecord {
        name,
        created: states.clock.now(),
        tags,
    };
    let written = Transaction::new(&states.store)
        .insert(&table, &key, &record)
        .commit()
        .await?;
    match written {
        Outcome::Committed(revision) => states.activities.wait_for(revision).await?,
        // Another was faster.
        Outcome::Conflict => {
            let found = table.get(&key).await?.ok_or(Error::Contended)?;
            return again(states, arn, found).await;
        }
    }
    Ok(CreateActivityOutput {
        activity_arn: arn,
        creation_date: record.created,
    })
}

/// What one is answered who asks for an activity that is there.
async fn again(
    states: &States,
    activity_arn: String,
    found: Entry<ActivityRecord>,
) -> Result<CreateActivityOutput> {
    // Another may have made it just now.
    states.activities.wait_for(found.revision).await?;
    Ok(CreateActivityOutput {
        activity_arn,
        creation_date: found.value.created,
    })
}

/// One that is not there is deleted already. Tasks that were scheduled for it wait on, for an activity of that name or their
/// time to be over; tokens that workers have stay good.
pub(crate) async fn delete_activity(
    states: &States,
    ctx: &Ctx,
    input: DeleteActivityInput,
) -> Result<DeleteActivityOutput> {
    let DeleteActivityInput { activity_arn } = input;
    let name = names::activity(ctx, &activity_arn)?;
    let key = states.activity_key(&ctx.partition(), &name);
    let gone = records::activities(&states.store)
        .update(&key, |found: Option<&ActivityRecord>| {
            Ok::<_, Error>(match found {
                Some(_) => Change::Delete,
                None => Change::Keep,
            })
        })
        .await?;
    states.activities.wait_for(gone.revision).await?;
    Ok(DeleteActivityOutput {})
}

pub(crate) fn describe_activity(
    states: &States,
    ctx: &Ctx,
    input: DescribeActivityInput,
) -> Result<DescribeActivityOutput> {
    let DescribeActivityInput { activity_arn } = input;
    let ActivityRecord {
        name,
        created,
        tags: _shown_by_list_tags,
    } = states.activity(ctx, &names::activity(ctx, &activity_arn)?)?;
    Ok(DescribeActivityOutput {
        activity_arn,
        creation_date: created,
        name,
        encryption_configuration: Some(EncryptionConfiguration {
            r#type: EncryptionType::AwsOwnedKey,
            kms_data_key_reuse_period_seconds: None,
            kms_key_id: None,
        }),
    })
}

/// By name.
pub(crate) fn list_activities(
    states: &States,
    ctx: &Ctx,
    input: ListActivitiesInput,
) -> Result<ListActivitiesOutput> {
    let ListActivitiesInput {
        max_results,
        next_token,
    } = input;
    let partition = ctx.partition();
    let within = records::activities(&states.store).within(&partition);
    let snapshot = states.activities.snapshot();
    let mut all: Vec<&ActivityRecord> = snapshot.below(&within).map(|entry| &entry.value).collect();
    all.sort_by(|left, right| left.name.cmp(&right.name));
    let items = all.into_iter().map(|record| (record.name.clone(), record));
    let (page, next_token) = page::cut(ctx, "ListActivities", items, max_results, next_token.as_deref())?;
    let show = |record: &ActivityRecord| ActivityListItem {
        activity_arn: activity_arn(&partition, &record.name),
        creation_date: record.created,
        name: record.name.clone(),
    };
    Ok(ListActivitiesOutput {
        activities: page.into_iter().map(show).collect(),
        next_token,
    })
}
