//! StartQuery: understands a query and has it run in the background.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use roadstead_api_logs::{StartQueryRequest, StartQueryResponse};
use roadstead_base::Ctx;
use roadstead_log_insights::{Bounds, Query, Window};
use roadstead_store::{Change, Key};

use crate::Logs;
use crate::error::{Error, Result};
use crate::names::from_identifier;
use crate::queries::search::Search;
use crate::queries::{Live, key, speaks, table};
use crate::records::{QueryRecord, QueryStatus, Statistics};

const MAX_GROUPS: usize = 50;

pub(crate) async fn start_query(
    logs: &Arc<Logs>,
    ctx: &Ctx,
    input: StartQueryRequest,
) -> Result<StartQueryResponse> {
    let StartQueryRequest {
        end_time,
        query_string,
        start_time,
        limit,
        log_group_identifiers,
        log_group_name,
        log_group_names,
        query_language,
    } = input;
    speaks(query_language)?;
    let names = names(ctx, log_group_name, log_group_names, log_group_identifiers)?;
    if start_time > end_time {
        return Err(Error::invalid("startTime must not be after endTime."));
    }
    let query = Query::parse(&query_string).map_err(Error::Malformed)?;
    let mut groups = Vec::new();
    for name in &names {
        let found = logs.group(ctx, name).await;
        let group = found.map_err(|error| match error {
            Error::NoSuchGroup => Error::NoGroupNamed(name.clone()),
            other => other,
        })?;
        groups.push((group, Arc::<str>::from(format!("{}:{name}", ctx.account))));
    }
    let now = logs.clock.now();
    let id = roadstead_base::random_uuid();
    let key = key(&ctx.partition(), &id);
    let live = Arc::new(Live::default());
    let record = QueryRecord {
        id: id.clone(),
        number: logs.lines.numbers(1).await?,
        text: query_string,
        groups: names,
        user: ctx.caller.arn(&ctx.account),
        status: QueryStatus::Scheduled,
        created_at: now,
        took: 0,
        rows: 0,
        bytes: 0,
        statistics: Statistics::default(),
    };
    enter(logs, ctx, &key, &live)?;
    if let Err(error) = write(logs, &key, &record).await {
        logs.queries.live().remove(&key);
        return Err(error);
    }
    let seconds = |seconds: i64| seconds.saturating_mul(1000);
    let search = Search {
        logs: Arc::clone(logs),
        groups,
        query,
        window: Window {
            start: seconds(start_time),
            // The last second as a whole, since what is asked for is inclusive.
            end: seconds(end_time).saturating_add(999),
            now: now.0,
        },
        bounds: Bounds {
            rows: limit.and_then(|limit| usize::try_from(limit).ok()),
            bytes: logs.options.query_bytes,
        },
        live,
        until: i64::MAX,
    };
    tokio::spawn(run(search, key, record));
    Ok(StartQueryResponse { query_id: Some(id) })
}

/// The groups that a request names in one of three ways.
fn names(
    ctx: &Ctx,
    name: Option<String>,
    names: Option<Vec<String>>,
    identifiers: Option<Vec<String>>,
) -> Result<Vec<String>> {
    let mut names = match (name, names, identifiers) {
        (Some(name), None, None) => vec![name],
        (None, Some(names), None) => names,
        (None, None, Some(identifiers)) => {
            let resolved = identifiers
                .iter()
                .map(|identifier| from_identifier(ctx, identifier));
            resolved.collect::<Result<_>>()?
        }
        _ => {
            return Err(Error::invalid(
                "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.",
            ));
        }
    };
    names.sort_unstable();
    names.dedup();
    if names.is_empty() || names.len() > MAX_GROUPS {
        return Err(Error::invalid(format!(
            "A query is of 1 to {MAX_GROUPS} log groups."
        )));
    }
    Ok(names)
}

/// Takes one of the account's places for queries that have not ended.
fn enter(logs: &Logs, ctx: &Ctx, key: &Key, entered: &Arc<Live>) -> Result<()> {
    let all = Key::of(&ctx.partition()).child(super::QUERIES);
    let mut live = logs.queries.live();
    if live.keys().filter(|key| key.is_below(&all)).count() >= logs.options.max_queries {
        return Err(Error::Limit(format!(
            "There are {} queries that have not ended yet, which is as many as there can be.",
            logs.options.max_queries
        )));
    }
    live.insert(key.clone(), Arc::clone(entered));
    Ok(())
}

async fn write(logs: &Logs, key: &Key, record: &QueryRecord) -> Result<()> {
    let put = |_: Option<&QueryRecord>| Ok::<_, Error>(Change::Put(record.clone()));
    let written = table(&logs.store).update(key, put).await?;
    logs.queries.records.wait_for(written.revision).await?;
    Ok(())
}

async fn run(mut search: Search, key: Key, mut record: QueryRecord) {
    let logs = Arc::clone(&search.logs);
    let live = Arc::clone(&search.live);
    let place = tokio::select! {
        biased;
        () = live.stopped.notified() => None,
        place = Arc::clone(&logs.queries.places).acquire_owned() => match place {
            Ok(place) => Some(place),
            // Closed when the service stops, which leaves the record to the next process.
            Err(_closed) => return,
        },
    };
    let began = logs.clock.now();
    let most = i64::try_from(logs.options.query_time.as_millis()).unwrap_or(i64::MAX);
    search.until = began.0.saturating_add(most);
    live.running.store(true, Ordering::Release);
    let ended = match place {
        None => Ok(Ok((QueryStatus::Cancelled, Vec::new()))),
        Some(_place) => tokio::task::spawn_blocking(move || search.run()).await,
    };
    let (status, rows) = match ended {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => {
            tracing::error!(query = record.id, %error, "a query could not read its lines");
            (QueryStatus::Failed, Vec::new())
        }
        Err(error) => {
            tracing::error!(query = record.id, %error, "a query ended badly");
            (QueryStatus::Failed, Vec::new())
        }
    };
    if logs.queries.places.is_closed() {
        return;
    }
    record.status = status;
    record.took = logs.clock.now().0 - began.0;
    record.rows = rows.len();
    record.statistics = live.statistics(record.groups.len());
    let stored = match logs.queries.found.put(record.number, &rows).await {
        Ok(bytes) => {
            record.bytes = bytes;
            write(&logs, &key, &record).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = stored {
        tracing::error!(query = record.id, %error, "the results of a query could not be kept");
        record.status = QueryStatus::Failed;
        record.rows = 0;
        if let Err(error) = write(&logs, &key, &record).await {
            tracing::error!(query = record.id, %error, "the end of a query could not be kept");
        }
    }
    logs.queries.live().remove(&key);
}
