//! Pays what is owed: one reconciler over the deliveries that are written down. A queue that does not let the topic in,
//! or is not there, fails at once; what else fails is tried again for 23 days, as documented for queues. What is given
//! up goes to the subscription's dead-letter queue, if it has one.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Arn, Partition};
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};
use serde_json::{Map, Value as Json, json};

use crate::names::topic_arn;
use crate::records::{self, Attribute, Attributes, DeliveryRecord, partition_of};
use crate::{PRINCIPAL, Sns};

/// Deliveries under way at a time.
const WORKERS: usize = 16;
const MAX_AGE: i64 = 23 * 86_400_000;
/// The waits double from the first to the longest.
const FIRST_MILLIS: i64 = 1_000;
const LONGEST_MILLIS: i64 = 600_000;
/// As many attributes as a message of a queue can have.
const MAX_ATTRIBUTES: usize = 10;

struct Deliveries(Arc<Sns>);

pub(crate) fn start(sns: &Arc<Sns>) -> Driver<Key> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: sns.options.max_owed,
        resync: Duration::from_secs(60),
        ..Default::default()
    };
    let mut driver = Driver::new("sns deliveries", options, Arc::new(Deliveries(Arc::clone(sns))));
    driver.follow(sns.owed.changes(), |changed| {
        changed.after.is_some().then(|| changed.key.clone())
    });
    driver
}

impl Reconciler for Deliveries {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, roadstead_reconcile::Error> {
        let sns = &self.0;
        let (Some(entry), Some(partition)) = (sns.owed.get(key), partition_of(key)) else {
            return Ok(Action::Done);
        };
        let wait = entry.value.due_at.0 - sns.clock.now().0;
        if wait > 0 {
            return Ok(Action::Again(Duration::from_millis(
                u64::try_from(wait).unwrap_or_default(),
            )));
        }
        match attempt(sns, &partition, &entry.value).await {
            Ok(()) => finish(sns, &entry).await,
            Err(error) => failure(sns, &entry, &error).await,
        }
    }

    fn keys(&self) -> Vec<Key> {
        self.0
            .owed
            .snapshot()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    }
}

async fn finish(sns: &Sns, entry: &Entry<DeliveryRecord>) -> Result<Action, roadstead_reconcile::Error> {
    let gone = Transaction::new(&sns.store).delete(&entry.key);
    if let Outcome::Committed(revision) = gone.commit().await? {
        // Who is told late of an earlier change looks at it once more: it must not be there then.
        sns.owed.wait_for(revision).await?;
    }
    Ok(Action::Done)
}

async fn failure(
    sns: &Sns,
    entry: &Entry<DeliveryRecord>,
    error: &ApiError,
) -> Result<Action, roadstead_reconcile::Error> {
    let record = &entry.value;
    let now = sns.clock.now();
    let doubled = FIRST_MILLIS
        .saturating_mul(1 << record.failures.min(20))
        .min(LONGEST_MILLIS);
    let for_now = error.is_transient();
    let young = now.0 - record.message.published_at.0 <= MAX_AGE;
    let later = if for_now && young {
        DeliveryRecord {
            failures: record.failures + 1,
            due_at: now.plus_millis(doubled),
            ..record.clone()
        }
    } else {
        tracing::warn!(
            topic = record.message.topic,
            endpoint = record.subscription.endpoint,
            dead_letters = record.subscription.settings.dead_letters,
            was_dead = record.dead,
            %error,
            "a message could not be delivered and is given up"
        );
        if record.dead || record.subscription.settings.dead_letters.is_none() {
            return finish(sns, entry).await;
        }
        DeliveryRecord {
            failures: 0,
            due_at: now,
            dead: true,
            ..record.clone()
        }
    };
    let written = Transaction::new(&sns.store)
        .replace(&records::deliveries(&sns.store), entry, &later)
        .commit()
        .await?;
    if let Outcome::Committed(revision) = written {
        // What is looked at next is what was written.
        sns.owed.wait_for(revision).await?;
    }
    Ok(Action::Again(Duration::ZERO))
}

/// Sends the message to the queue, once; the queue's policy must let the service in for the topic.
async fn attempt(sns: &Sns, partition: &Partition, record: &DeliveryRecord) -> Result<(), ApiError> {
    let settings = &record.subscription.settings;
    let queue = match (&settings.dead_letters, record.dead) {
        (Some(queue), true) => queue,
        _ => &record.subscription.endpoint,
    };
    let arn: Arn = queue
        .parse()
        .map_err(|_| ApiError::client("InvalidParameter", format!("{queue} is no queue")))?;
    let topic = topic_arn(partition, &record.message.topic);
    let url = format!(
        "https://sqs.{}.amazonaws.com/{}/{}",
        arn.region, arn.account, arn.resource
    );
    let mut message = json!({"QueueUrl": url, "MessageBody": body(record, &topic)});
    if settings.raw && !record.message.attributes.is_empty() {
        if record.message.attributes.len() > MAX_ATTRIBUTES {
            return Err(ApiError::client(
                "InvalidParameter",
                "a message with more than 10 attributes cannot be delivered raw",
            ));
        }
        message["MessageAttributes"] = attributes(
            &record.message.attributes,
            ["DataType", "StringValue", "BinaryValue"],
        );
    }
    let ctx = sns.dispatcher.ctx_for_source(
        PRINCIPAL,
        partition.account.clone(),
        partition.region.clone(),
        &topic,
    );
    sns.dispatcher
        .call_json("sqs", "SendMessage", &ctx, message)
        .await?;
    Ok(())
}

/// The message alone, or with what it was published with around it. It is not signed: there is nobody whose
/// certificate a queue's reader could ask for.
fn body(record: &DeliveryRecord, topic: &str) -> String {
    let message = &record.message;
    if record.subscription.settings.raw {
        return message.message.clone();
    }
    let mut whole = json!({
        "Type": "Notification",
        "MessageId": message.id,
        "TopicArn": topic,
        "Message": message.message,
        "Timestamp": message.published_at.to_rfc3339(),
    });
    if let Some(subject) = &message.subject {
        whole["Subject"] = json!(subject);
    }
    if !message.attributes.is_empty() {
        whole["MessageAttributes"] = attributes(&message.attributes, ["Type", "Value", "Value"]);
    }
    whole.to_string()
}

/// Attributes, with the names that type, text and bytes go by.
fn attributes(all: &Attributes, [kind, text, bytes]: [&str; 3]) -> Json {
    let show = |attribute: &Attribute| {
        let mut shown = Map::new();
        shown.insert(kind.to_owned(), json!(attribute.data_type));
        if let Some(value) = &attribute.text {
            shown.insert(text.to_owned(), json!(value));
        }
        if let Some(value) = &attribute.bytes {
            shown.insert(bytes.to_owned(), json!(base64(value)));
        }
        Json::Object(shown)
    };
    Json::Object(
        all.iter()
            .map(|(name, attribute)| (name.clone(), show(attribute)))
            .collect(),
    )
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
