//! Subscriptions of queues. They are of the same account, so that none waits to be confirmed.

use std::collections::BTreeMap;

use roadstead_api_sns::{
    GetSubscriptionAttributesInput, GetSubscriptionAttributesResponse, ListSubscriptionsByTopicInput,
    ListSubscriptionsByTopicResponse, ListSubscriptionsInput, ListSubscriptionsResponse,
    SetSubscriptionAttributesInput, SubscribeInput, SubscribeResponse, Subscription, UnsubscribeInput,
};
use roadstead_base::{Ctx, derived_hex};
use roadstead_store::{Change, Key, Outcome, Transaction};

use crate::Sns;
use crate::accept;
use crate::error::{Error, Result};
use crate::names::{self, subscription_arn, topic_arn};
use crate::page;
use crate::records::{self, Settings, SubscriptionRecord};

/// How often it is tried while others make the same subscription.
const TRIES: usize = 32;

impl Sns {
    fn subscription_key(&self, ctx: &Ctx, topic: &str, id: &str) -> Key {
        records::subscriptions(&self.store)
            .key(&ctx.partition(), topic)
            .child(id)
    }

    fn subscription(&self, ctx: &Ctx, arn: &str) -> Result<SubscriptionRecord> {
        let (topic, id) = names::subscription(ctx, arn)?;
        let found = self.subscriptions.get(&self.subscription_key(ctx, &topic, &id));
        found
            .map(|entry| entry.value.clone())
            .ok_or(Error::NoSuchSubscription)
    }
}

pub(crate) async fn subscribe(sns: &Sns, ctx: &Ctx, input: SubscribeInput) -> Result<SubscribeResponse> {
    let SubscribeInput {
        protocol,
        topic_arn,
        attributes,
        endpoint,
        // There is none whose ARN would be withheld until it is confirmed.
        return_subscription_arn: _always_returned,
    } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    sns.topic(ctx, &topic)?;
    if protocol != "sqs" {
        return Err(Error::Unsupported(format!("Protocol {protocol}")));
    }
    let endpoint = endpoint.ok_or_else(|| Error::invalid("Endpoint"))?;
    accept::queue(ctx, &endpoint)?;
    let mut settings = Settings::default();
    let attributes = attributes.unwrap_or_default();
    for (name, value) in &attributes {
        accept::set_subscription(ctx, &mut settings, name, value)?;
    }
    accept::check_subscription(&settings)?;
    if sns.subscribed(ctx, &topic).len() >= sns.options.max_subscriptions {
        return Err(Error::TooManySubscriptions(sns.options.max_subscriptions));
    }
    // The same for the same queue, so that it is subscribed once.
    let hex = derived_hex(&topic_arn, &endpoint, 32);
    let id = format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    );
    let fresh = SubscriptionRecord {
        topic: topic.clone(),
        id: id.clone(),
        endpoint,
        settings,
    };
    let answer = SubscribeResponse {
        subscription_arn: Some(subscription_arn(&ctx.partition(), &topic, &id)),
    };
    let (table, key) = (
        records::subscriptions(&sns.store),
        sns.subscription_key(ctx, &topic, &id),
    );
    for _ in 0..TRIES {
        let revision = match table.get(&key).await? {
            Some(found) if found.value == fresh || attributes.is_empty() => found.revision,
            Some(_) => {
                return Err(Error::invalid(
                    "Attributes Reason: Subscription already exists with different attributes",
                ));
            }
            None => {
                // Only if the topic is there still: its deletion takes what it had of subscriptions then.
                let transaction = Transaction::new(&sns.store)
                    .compare_exists(&sns.topic_key(ctx, &topic))
                    .insert(&table, &key, &fresh);
                match transaction.commit().await? {
                    Outcome::Committed(revision) => revision,
                    Outcome::Conflict => {
                        let topics = records::topics(&sns.store);
                        let there = topics.get(&sns.topic_key(ctx, &topic)).await?;
                        there.ok_or(Error::NoSuchTopic)?;
                        continue;
                    }
                }
            }
        };
        sns.subscriptions.wait_for(revision).await?;
        return Ok(answer);
    }
    Err(Error::Contended)
}

pub(crate) async fn unsubscribe(sns: &Sns, ctx: &Ctx, input: UnsubscribeInput) -> Result<()> {
    let UnsubscribeInput { subscription_arn } = input;
    let (topic, id) = names::subscription(ctx, &subscription_arn)?;
    let key = sns.subscription_key(ctx, &topic, &id);
    let table = records::subscriptions(&sns.store);
    let updated = table.update(&key, |_| Ok::<_, Error>(Change::Delete)).await?;
    sns.subscriptions.wait_for(updated.revision).await?;
    if updated.changed {
        let counted = sns
            .change_topic(ctx, &topic, |topic| {
                topic.unsubscribed += 1;
                Ok(())
            })
            .await;
        match counted {
            // The topic was deleted meanwhile.
            Err(Error::NoSuchTopic) => {}
            counted => counted?,
        }
    }
    Ok(())
}

pub(crate) fn get_subscription_attributes(
    sns: &Sns,
    ctx: &Ctx,
    input: GetSubscriptionAttributesInput,
) -> Result<GetSubscriptionAttributesResponse> {
    let GetSubscriptionAttributesInput { subscription_arn } = input;
    let SubscriptionRecord {
        topic,
        id: _in_the_arn,
        endpoint,
        settings,
    } = sns.subscription(ctx, &subscription_arn)?;
    let mut shown = BTreeMap::from([
        ("SubscriptionArn".to_owned(), subscription_arn),
        ("TopicArn".to_owned(), topic_arn(&ctx.partition(), &topic)),
        ("Owner".to_owned(), ctx.account.to_string()),
        ("Protocol".to_owned(), "sqs".to_owned()),
        ("Endpoint".to_owned(), endpoint),
        ("PendingConfirmation".to_owned(), "false".to_owned()),
        ("ConfirmationWasAuthenticated".to_owned(), "true".to_owned()),
    ]);
    accept::show_settings(&settings, &mut shown);
    Ok(GetSubscriptionAttributesResponse {
        attributes: Some(shown),
    })
}

pub(crate) async fn set_subscription_attributes(
    sns: &Sns,
    ctx: &Ctx,
    input: SetSubscriptionAttributesInput,
) -> Result<()> {
    let SetSubscriptionAttributesInput {
        attribute_name,
        subscription_arn,
        attribute_value,
    } = input;
    let (topic, id) = names::subscription(ctx, &subscription_arn)?;
    let value = attribute_value.unwrap_or_default();
    let set = |found: Option<&SubscriptionRecord>| {
        let mut record = found.ok_or(Error::NoSuchSubscription)?.clone();
        accept::set_subscription(ctx, &mut record.settings, &attribute_name, &value)?;
        accept::check_subscription(&record.settings)?;
        Ok::<_, Error>(Change::Put(record))
    };
    let key = sns.subscription_key(ctx, &topic, &id);
    let updated = records::subscriptions(&sns.store).update(&key, set).await?;
    sns.subscriptions.wait_for(updated.revision).await?;
    Ok(())
}

/// A page of subscriptions by their ARNs.
fn page(
    ctx: &Ctx,
    scope: &str,
    all: Vec<SubscriptionRecord>,
    token: Option<&str>,
) -> Result<(Vec<Subscription>, Option<String>)> {
    let partition = ctx.partition();
    let mut by_arn: BTreeMap<String, SubscriptionRecord> = all
        .into_iter()
        .map(|one| (subscription_arn(&partition, &one.topic, &one.id), one))
        .collect();
    let arns = by_arn.keys().cloned().collect();
    let (arns, next) = page::cut(ctx, scope, arns, token)?;
    let show = |arn: String| {
        let one = by_arn.remove(&arn)?;
        Some(Subscription {
            subscription_arn: Some(arn),
            owner: Some(ctx.account.to_string()),
            protocol: Some("sqs".into()),
            endpoint: Some(one.endpoint),
            topic_arn: Some(topic_arn(&partition, &one.topic)),
        })
    };
    Ok((arns.into_iter().filter_map(show).collect(), next))
}

pub(crate) fn list_subscriptions(
    sns: &Sns,
    ctx: &Ctx,
    input: ListSubscriptionsInput,
) -> Result<ListSubscriptionsResponse> {
    let ListSubscriptionsInput { next_token } = input;
    let within = records::subscriptions(&sns.store).within(&ctx.partition());
    let snapshot = sns.subscriptions.snapshot();
    let all = snapshot.below(&within).map(|entry| entry.value.clone()).collect();
    let (subscriptions, next_token) = page(ctx, "ListSubscriptions", all, next_token.as_deref())?;
    Ok(ListSubscriptionsResponse {
        next_token,
        subscriptions: Some(subscriptions),
    })
}

pub(crate) fn list_subscriptions_by_topic(
    sns: &Sns,
    ctx: &Ctx,
    input: ListSubscriptionsByTopicInput,
) -> Result<ListSubscriptionsByTopicResponse> {
    let ListSubscriptionsByTopicInput {
        topic_arn,
        next_token,
    } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    sns.topic(ctx, &topic)?;
    let scope = format!("ListSubscriptionsByTopic/{topic}");
    let all = sns.subscribed(ctx, &topic);
    let (subscriptions, next_token) = page(ctx, &scope, all, next_token.as_deref())?;
    Ok(ListSubscriptionsByTopicResponse {
        next_token,
        subscriptions: Some(subscriptions),
    })
}
