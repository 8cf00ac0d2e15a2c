//! The operations, one file each, or one for a few that do the same to one or to many.

pub(crate) mod by_path;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod label;
pub(crate) mod put;
pub(crate) mod tags;

use roadstead_base::Ctx;

use crate::error::{Error, Result};

/// The items behind the token's, in the order of their cursors, which are on nothing else; and the token behind them.
pub(crate) fn page<T>(
    ctx: &Ctx,
    scope: &str,
    items: Vec<T>,
    cursor: impl Fn(&T) -> String,
    limit: usize,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>)> {
    let scope = format!("ssm/{}/{}/{scope}", ctx.account, ctx.region);
    let after = match token.filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(ctx.pager.decode(&scope, token).map_err(|_| Error::NextToken)?),
    };
    let shown = |item: &T| after.as_ref().is_some_and(|after| cursor(item) <= *after);
    let mut items = items.into_iter().skip_while(shown);
    let page: Vec<T> = items.by_ref().take(limit).collect();
    let more = items.next().is_some();
    let last = page.last().filter(|_| more);
    let token = last.map(|item| ctx.pager.encode(&scope, &cursor(item)));
    Ok((page, token))
}

pub(crate) fn limit(asked: Option<i32>, usual: usize) -> usize {
    asked
        .and_then(|asked| usize::try_from(asked).ok())
        .unwrap_or(usual)
}
