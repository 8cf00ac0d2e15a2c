//! `MaxItems`, `Marker` and `IsTruncated`.

use roadstead_base::Ctx;

use crate::error::{Result, validation};

const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// A page, and what its answer says of the next.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) is_truncated: Option<bool>,
    pub(crate) marker: Option<String>,
}

/// The items behind the marker. They come in the order of their cursors, which are unique.
pub(crate) fn page<T>(
    ctx: &Ctx,
    scope: &str,
    items: impl IntoIterator<Item = (String, T)>,
    marker: Option<String>,
    max: Option<i32>,
) -> Result<Page<T>> {
    let scope = format!("iam/{}/{scope}", ctx.account);
    let after = marker.map(|marker| ctx.pager.decode(&scope, &marker));
    let after = after.transpose().map_err(|_| validation("Invalid Marker."))?;
    let max = max.map_or(DEFAULT, |max| usize::try_from(max).unwrap_or(1).clamp(1, MOST));
    let mut rest = items
        .into_iter()
        .filter(|(cursor, _)| after.as_ref().is_none_or(|after| cursor > after));
    let mut shown: Vec<(String, T)> = rest.by_ref().take(max).collect();
    let more = rest.next().is_some();
    let marker = shown
        .last()
        .filter(|_| more)
        .map(|(cursor, _)| ctx.pager.encode(&scope, cursor));
    Ok(Page {
        items: shown.drain(..).map(|(_, item)| item).collect(),
        is_truncated: Some(more),
        marker,
    })
}
