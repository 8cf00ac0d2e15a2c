//! The records over HTTP, for whoever computes a bill: `GET /_roadstead/usage?cluster=&since=&until=&after=`, signed as
//! a call of ecs. Times are milliseconds since 1970. Answers `{"now", "tasks", "next"}`: tasks that run come with the
//! first page, those that stopped in order of their end; `next` is the following page's `after`. A task that stops in
//! between may come twice, the later one counts.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use roadstead_base::Ctx;
use roadstead_dispatch::{Raw, RawRequest, RawResponse};
use roadstead_protocol::BoxFuture;
use roadstead_store::Listing;
use serde_json::{Value as Json, json};

use crate::Ecs;
use crate::error::Error;
use crate::handshake::members;
use crate::names::ClusterName;
use crate::tasks::LastStatus;
use crate::usage::{PATH, UsageRecord, time};

/// Records of one page.
const PAGE: usize = 1000;

pub(crate) struct Meter(pub(crate) Arc<Ecs>);

impl Raw for Meter {
    /// Of who may see tasks.
    fn action(&self) -> Option<&'static str> {
        Some("ecs:DescribeTasks")
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse> {
        Box::pin(async move {
            let (status, body) = match answer(&self.0, &ctx, &request).await {
                Ok(body) => (StatusCode::OK, body),
                Err(error) => {
                    let error = roadstead_protocol::ApiError::from(error);
                    let status =
                        StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    (status, json!({"__type": error.code, "message": error.message}))
                }
            };
            let mut response = Response::new(Full::new(Bytes::from(body.to_string())).into());
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(http::header::CONTENT_TYPE, json);
            response
        })
    }
}

async fn answer(ecs: &Ecs, ctx: &Ctx, request: &RawRequest) -> Result<Json, Error> {
    if request.method() != Method::GET || request.uri().path() != PATH {
        return Err(Error::client(format!("Only GET {PATH} is answered here.")));
    }
    let (mut cluster, mut since, mut until, mut after) = (None, 0, i64::MAX, None);
    for (name, value) in members(request.uri().query().unwrap_or_default()) {
        let number = || {
            value
                .parse::<i64>()
                .map_err(|_| Error::invalid(format!("{name} is no time in milliseconds.")))
        };
        match name {
            "cluster" => cluster = Some(ClusterName::of(ctx, Some(&value))?),
            "since" => since = number()?,
            "until" => until = number()?,
            "after" => after = Some(value),
            "" => {}
            other => return Err(Error::invalid(format!("There is no {other} to ask by."))),
        }
    }
    let wanted = |usage: &UsageRecord| {
        let within = usage.pull_started_at < until && usage.stopped_at.is_none_or(|at| at > since);
        within
            && cluster
                .as_ref()
                .is_none_or(|cluster| cluster.as_str() == usage.cluster)
    };
    let mut tasks = Vec::new();
    let table = ecs.usage();
    let below = table.within(&ctx.partition());
    let scope = format!("ecs-usage/{}/{}", ctx.account, ctx.region);
    let place = match &after {
        Some(token) => ctx
            .pager
            .decode(&scope, token)
            .map_err(|_| Error::invalid("after is none of this listing."))?,
        None => {
            let running = ecs.present().await?.tasks.snapshot();
            let running = running
                .iter()
                .filter(|entry| entry.value.partition == ctx.partition());
            let running = running.filter(|entry| entry.value.last != LastStatus::Stopped);
            tasks.extend(
                running
                    .filter_map(|entry| UsageRecord::of(&entry.value))
                    .filter(wanted),
            );
            time(since)
        }
    };
    let mut begin = below.clone();
    for segment in place.split('/') {
        begin = begin.child(segment);
    }
    let listing = Listing {
        after: Some(begin),
        limit: Some(PAGE),
        ..Listing::default()
    };
    let page = table.list(&below, listing).await?;
    let next = page.next.map(|key| {
        let segments: Vec<String> = key.segments().collect();
        ctx.pager
            .encode(&scope, &segments[segments.len().saturating_sub(2)..].join("/"))
    });
    tasks.extend(page.entries.into_iter().map(|entry| entry.value).filter(wanted));
    Ok(json!({"now": ecs.clock.now().0, "tasks": tasks, "next": next}))
}
