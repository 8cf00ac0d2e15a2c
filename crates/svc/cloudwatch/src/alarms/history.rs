//! What happened to alarms. An entry comes in the transaction of what it tells; it stays for 30 days, also when the
//! alarm is deleted, and of each alarm the latest are kept.

use roadstead_api_cloudwatch::{
    AlarmHistoryItem, AlarmType, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput, HistoryItemType,
    ScanBy,
};
use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_store::{Entry, Key, Listing, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::records::{AlarmRecord, StateRecord};
use super::{all_history, histories, show};
use crate::CloudWatch;
use crate::error::{Error, Result, refuse};

const MAX_SUMMARY: usize = 255;
const MAX_DATA: usize = 4095;
const PAGE: usize = 100;
/// Days that an entry is kept.
const DAYS: i64 = 30;
/// Entries of one alarm that are kept, the latest.
const MOST: usize = 2_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryRecord {
    pub alarm: String,
    /// By the API's names.
    pub alarm_type: String,
    pub item: String,
    pub at: Timestamp,
    pub summary: String,
    pub data: String,
}

impl HistoryRecord {
    pub(super) fn of(
        alarm: &AlarmRecord,
        item: HistoryItemType,
        at: Timestamp,
        summary: String,
        data: Json,
    ) -> Self {
        Self::new((&alarm.name, alarm.kind()), item, at, summary, data)
    }

    pub(super) fn new(
        (alarm, alarm_type): (&str, &str),
        item: HistoryItemType,
        at: Timestamp,
        mut summary: String,
        data: Json,
    ) -> Self {
        if summary.chars().count() > MAX_SUMMARY {
            summary = summary.chars().take(MAX_SUMMARY - 3).collect::<String>() + "...";
        }
        Self {
            alarm: alarm.to_owned(),
            alarm_type: alarm_type.to_owned(),
            item: item.to_string(),
            at,
            summary,
            data: fitting(data).to_string(),
        }
    }

    /// Under the alarm, in order of time; `number` tells entries of one moment apart.
    pub(super) fn add(
        &self,
        transaction: Transaction,
        metrics: &CloudWatch,
        partition: &Partition,
        number: u64,
    ) -> Transaction {
        let key = all_history(partition)
            .child(&self.alarm)
            .child(format!("{:020}-{number:020}-{}", self.at.0, self.item));
        transaction.put(&histories(&metrics.store), &key, self)
    }

    fn shown(self) -> AlarmHistoryItem {
        AlarmHistoryItem {
            alarm_contributor_attributes: None,
            alarm_contributor_id: None,
            alarm_name: Some(self.alarm),
            alarm_type: AlarmType::parse(&self.alarm_type),
            history_data: Some(self.data),
            history_item_type: HistoryItemType::parse(&self.item),
            history_summary: Some(self.summary),
            timestamp: Some(self.at),
        }
    }
}

/// Data as long as the API may tell: what is too long in it gives way, the longest first.
fn fitting(mut data: Json) -> Json {
    while data.to_string().len() > MAX_DATA {
        let Some(members) = data.as_object_mut() else {
            break;
        };
        let longest = members
            .iter()
            .max_by_key(|(_, value)| value.to_string().len())
            .map(|(name, _)| name.clone());
        let Some(longest) = longest else { break };
        members.remove(&longest);
        members.insert("truncated".into(), true.into());
    }
    data
}

/// A state as history tells it.
pub(super) fn state(state: &StateRecord) -> Json {
    let mut told = json!({"stateValue": state.value.as_str(), "stateReason": state.reason});
    if let Some(data) = &state.reason_data {
        told["stateReasonData"] = serde_json::from_str(data).unwrap_or_else(|_| data.as_str().into());
    }
    told
}

/// A change of configuration: `Create`, `Update` or `Delete`.
pub(super) fn configured(
    partition: &Partition,
    alarm: &AlarmRecord,
    what: &str,
    at: Timestamp,
) -> HistoryRecord {
    let done = format!("{}d", what.to_lowercase());
    let data = json!({
        "version": "1.0",
        "type": what,
        format!("{done}Alarm"): show::configuration(partition, alarm),
    });
    let summary = format!("Alarm \"{}\" {done}", alarm.name);
    HistoryRecord::of(alarm, HistoryItemType::ConfigurationUpdate, at, summary, data)
}

pub(crate) async fn describe_alarm_history(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput> {
    let DescribeAlarmHistoryInput {
        alarm_contributor_id,
        alarm_name,
        alarm_types,
        end_date,
        history_item_type,
        max_records,
        next_token,
        scan_by,
        start_date,
    } = input;
    refuse("AlarmContributorId", alarm_contributor_id.as_ref())?;
    if let (Some(start), Some(end)) = (start_date, end_date)
        && start > end
    {
        return Err(Error::validation("StartDate must not be after EndDate."));
    }
    let types = alarm_types.filter(|types| !types.is_empty());
    let types = types.unwrap_or_else(|| vec![AlarmType::MetricAlarm]);
    let ascending = scan_by == Some(ScanBy::TimestampAscending);
    let scope = format!(
        "cloudwatch/{}/{}/DescribeAlarmHistory/{:?}/{types:?}/{history_item_type:?}/{start_date:?}/{end_date:?}/{ascending}",
        ctx.account, ctx.region, alarm_name
    );
    let after = next_token
        .map(|token| ctx.pager.decode(&scope, &token).map_err(|_| Error::NextToken))
        .transpose()?;
    let above = all_history(&ctx.partition());
    let above = alarm_name
        .as_ref()
        .map_or(above.clone(), |name| above.child(name));
    let (found, _) = histories(&metrics.store).all(&above).await?;
    let fits = |record: &HistoryRecord| {
        types.iter().any(|kind| kind.as_str() == record.alarm_type)
            && history_item_type.is_none_or(|item| item.as_str() == record.item)
            && start_date.is_none_or(|start| record.at >= start)
            && end_date.is_none_or(|end| record.at <= end)
    };
    let mut found: Vec<(String, HistoryRecord)> = found
        .into_iter()
        .filter(|entry| fits(&entry.value))
        .map(|entry| (place(&entry), entry.value))
        .collect();
    found.sort_by(|a, b| if ascending { a.0.cmp(&b.0) } else { b.0.cmp(&a.0) });
    let limit = max_records
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let seen = |place: &str| match &after {
        None => false,
        Some(after) if ascending => place <= after.as_str(),
        Some(after) => place >= after.as_str(),
    };
    let mut rest = found.into_iter().skip_while(|(place, _)| seen(place)).peekable();
    let page: Vec<(String, HistoryRecord)> = rest.by_ref().take(limit).collect();
    let more = rest.peek().is_some();
    let last = page.last().filter(|_| more);
    Ok(DescribeAlarmHistoryOutput {
        next_token: last.map(|(place, _)| ctx.pager.encode(&scope, place)),
        alarm_history_items: Some(page.into_iter().map(|(_, record)| record.shown()).collect()),
    })
}

/// A text that orders entries by time.
fn place(entry: &Entry<HistoryRecord>) -> String {
    format!("{}/{}", entry.key.name(), entry.value.alarm)
}

/// Clears away what is too old or too much. How many entries went.
pub(crate) async fn clear(metrics: &CloudWatch) -> Result<usize> {
    let table = histories(&metrics.store);
    let oldest = metrics.clock.now().0 - DAYS * 86_400_000;
    let mut gone = Vec::new();
    for partition in table.partitions().await? {
        let above = partition.child(table.name());
        // Of each alarm the keys, which lie beside each other in order of time.
        let mut of_one: Vec<Key> = Vec::new();
        let mut after = None;
        loop {
            let listing = Listing {
                after: after.take(),
                ..Listing::default()
            };
            let page = table.list(&above, listing).await?;
            for entry in page.entries {
                if of_one
                    .last()
                    .is_some_and(|last| alarm_of(last) != alarm_of(&entry.key))
                {
                    gone.extend(going(std::mem::take(&mut of_one), oldest));
                }
                of_one.push(entry.key);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        gone.extend(going(of_one, oldest));
    }
    for part in gone.chunks(64) {
        let delete = |transaction: Transaction, key: &Key| transaction.delete(key);
        let _unconditional = part
            .iter()
            .fold(Transaction::new(&metrics.store), delete)
            .commit()
            .await?;
    }
    Ok(gone.len())
}

/// Account, region, table, alarm, entry.
fn alarm_of(key: &Key) -> Option<String> {
    key.segments().nth(3)
}

fn going(entries: Vec<Key>, oldest: i64) -> impl Iterator<Item = Key> {
    let surplus = entries.len().saturating_sub(MOST);
    let old = move |key: &Key| {
        let name = key.name();
        let at = name.split('-').next().and_then(|at| at.parse::<i64>().ok());
        at.is_none_or(|at| at < oldest)
    };
    let numbered = entries.into_iter().enumerate();
    numbered
        .filter(move |(at, key)| *at < surplus || old(key))
        .map(|(_, key)| key)
}
