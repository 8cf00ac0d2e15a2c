//! Topics: made, shown, set, listed, deleted.

use std::collections::BTreeMap;

use roadstead_api_sns::{
    CreateTopicInput, CreateTopicResponse, DeleteTopicInput, GetTopicAttributesInput,
    GetTopicAttributesResponse, ListTopicsInput, ListTopicsResponse, SetTopicAttributesInput, Topic,
};
use roadstead_base::Ctx;
use roadstead_store::{Change, Key};

use crate::Sns;
use crate::accept;
use crate::error::{Error, Result, refuse};
use crate::names::{self, topic_arn};
use crate::page;
use crate::records::{self, SubscriptionRecord, TopicRecord};
use crate::tags;

impl Sns {
    pub(crate) fn topic_key(&self, ctx: &Ctx, topic: &str) -> Key {
        records::topics(&self.store).key(&ctx.partition(), topic)
    }

    pub(crate) fn topic(&self, ctx: &Ctx, topic: &str) -> Result<TopicRecord> {
        let found = self.topics.get(&self.topic_key(ctx, topic));
        found.map(|entry| entry.value.clone()).ok_or(Error::NoSuchTopic)
    }

    /// The subscriptions of a topic, in order of their ids.
    pub(crate) fn subscribed(&self, ctx: &Ctx, topic: &str) -> Vec<SubscriptionRecord> {
        let below = records::subscriptions(&self.store).key(&ctx.partition(), topic);
        let snapshot = self.subscriptions.snapshot();
        snapshot.below(&below).map(|entry| entry.value.clone()).collect()
    }

    pub(crate) async fn change_topic(
        &self,
        ctx: &Ctx,
        topic: &str,
        mut change: impl FnMut(&mut TopicRecord) -> Result<()>,
    ) -> Result<()> {
        let update = |found: Option<&TopicRecord>| {
            let mut record = found.ok_or(Error::NoSuchTopic)?.clone();
            change(&mut record)?;
            Ok::<_, Error>(Change::Put(record))
        };
        let key = self.topic_key(ctx, topic);
        let updated = records::topics(&self.store).update(&key, update).await?;
        self.topics.wait_for(updated.revision).await?;
        Ok(())
    }
}

pub(crate) async fn create_topic(
    sns: &Sns,
    ctx: &Ctx,
    input: CreateTopicInput,
) -> Result<CreateTopicResponse> {
    let CreateTopicInput {
        name,
        attributes,
        data_protection_policy,
        tags: given,
    } = input;
    refuse("DataProtectionPolicy", data_protection_policy.as_ref())?;
    if name.ends_with(".fifo") {
        return Err(Error::Unsupported(format!("Name {name} of a FIFO topic")));
    }
    if !names::is_name(&name) {
        return Err(Error::invalid("Topic Name"));
    }
    let attributes = attributes.unwrap_or_default();
    let wanted_tags = tags::checked(given.clone().unwrap_or_default(), BTreeMap::new())?;
    let mut fresh = TopicRecord {
        name: name.clone(),
        display_name: String::new(),
        policy: None,
        tags: wanted_tags.clone(),
        unsubscribed: 0,
    };
    for (attribute, value) in &attributes {
        accept::set_topic(&mut fresh, attribute, value)?;
    }
    let within = records::topics(&sns.store).within(&ctx.partition());
    if sns.topics.snapshot().below(&within).count() >= sns.options.max_topics {
        return Err(Error::TooManyTopics(sns.options.max_topics));
    }
    let create = |found: Option<&TopicRecord>| {
        let Some(found) = found else {
            return Ok(Change::Put(fresh.clone()));
        };
        let mut same = found.clone();
        for (attribute, value) in &attributes {
            accept::set_topic(&mut same, attribute, value)?;
        }
        if same != *found {
            return Err(Error::invalid(
                "Attributes Reason: Topic already exists with different attributes",
            ));
        }
        if given.is_some() && wanted_tags != found.tags {
            return Err(Error::invalid(
                "Tags Reason: Topic already exists with different tags",
            ));
        }
        Ok(Change::Keep)
    };
    let key = sns.topic_key(ctx, &name);
    let updated = records::topics(&sns.store).update(&key, create).await?;
    sns.topics.wait_for(updated.revision).await?;
    Ok(CreateTopicResponse {
        topic_arn: Some(topic_arn(&ctx.partition(), &name)),
    })
}

/// With its subscriptions. One that is not there is answered as if it were deleted, as documented.
pub(crate) async fn delete_topic(sns: &Sns, ctx: &Ctx, input: DeleteTopicInput) -> Result<()> {
    let DeleteTopicInput { topic_arn } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    let table = records::subscriptions(&sns.store);
    let transaction = roadstead_store::Transaction::new(&sns.store)
        .delete(&sns.topic_key(ctx, &topic))
        .delete_below(&table.key(&ctx.partition(), &topic));
    if let roadstead_store::Outcome::Committed(revision) = transaction.commit().await? {
        sns.topics.wait_for(revision).await?;
        sns.subscriptions.wait_for(revision).await?;
    }
    Ok(())
}

pub(crate) fn get_topic_attributes(
    sns: &Sns,
    ctx: &Ctx,
    input: GetTopicAttributesInput,
) -> Result<GetTopicAttributesResponse> {
    let GetTopicAttributesInput { topic_arn } = input;
    let name = names::topic(ctx, "TopicArn", &topic_arn)?;
    let topic = sns.topic(ctx, &name)?;
    let mut shown = BTreeMap::from([
        ("TopicArn".to_owned(), topic_arn.clone()),
        ("Owner".to_owned(), ctx.account.to_string()),
        ("DisplayName".to_owned(), topic.display_name),
        (
            "SubscriptionsConfirmed".to_owned(),
            sns.subscribed(ctx, &name).len().to_string(),
        ),
        ("SubscriptionsPending".to_owned(), "0".to_owned()),
        ("SubscriptionsDeleted".to_owned(), topic.unsubscribed.to_string()),
    ]);
    let policy = topic.policy.unwrap_or_else(|| {
        let unset = crate::permission::unset(&ctx.account, &topic_arn);
        unset.to_string()
    });
    shown.insert("Policy".to_owned(), policy);
    Ok(GetTopicAttributesResponse {
        attributes: Some(shown),
    })
}

pub(crate) async fn set_topic_attributes(sns: &Sns, ctx: &Ctx, input: SetTopicAttributesInput) -> Result<()> {
    let SetTopicAttributesInput {
        attribute_name,
        topic_arn,
        attribute_value,
    } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    let value = attribute_value.unwrap_or_default();
    sns.change_topic(ctx, &topic, |record| {
        accept::set_topic(record, &attribute_name, &value)
    })
    .await
}

pub(crate) fn list_topics(sns: &Sns, ctx: &Ctx, input: ListTopicsInput) -> Result<ListTopicsResponse> {
    let ListTopicsInput { next_token } = input;
    let within = records::topics(&sns.store).within(&ctx.partition());
    let snapshot = sns.topics.snapshot();
    let mut names: Vec<String> = snapshot
        .below(&within)
        .map(|entry| entry.value.name.clone())
        .collect();
    names.sort();
    let (names, next_token) = page::cut(ctx, "ListTopics", names, next_token.as_deref())?;
    let show = |name: &String| Topic {
        topic_arn: Some(topic_arn(&ctx.partition(), name)),
    };
    Ok(ListTopicsResponse {
        next_token,
        topics: Some(names.iter().map(show).collect()),
    })
}
