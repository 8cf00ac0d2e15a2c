//! Pages of listings: a `limit`, 50 where none is given, and a token that names the last item shown.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

const PAGE: usize = 50;

/// The cursor inside a token. `scope` is the operation and whatever the token must not be carried across.
pub(crate) fn cursor(ctx: &Ctx, scope: &[&str], token: Option<&str>) -> Result<Option<String>> {
    let decode = |token| ctx.pager.decode(&whole(ctx, scope), token);
    token
        .map(decode)
        .transpose()
        .map_err(|_| Error::invalid("The specified nextToken is invalid."))
}

pub(crate) fn token(ctx: &Ctx, scope: &[&str], cursor: &str) -> String {
    ctx.pager.encode(&whole(ctx, scope), cursor)
}

fn whole(ctx: &Ctx, scope: &[&str]) -> String {
    let mut whole = format!("logs/{}/{}", ctx.account, ctx.region);
    for part in scope {
        whole.push_str(&format!("/{}:{part}", part.len()));
    }
    whole
}

/// The items of a page, and the token of the next. `items` are in order of `name`, ascending or descending.
pub(crate) fn cut<T>(
    ctx: &Ctx,
    scope: &[&str],
    items: Vec<T>,
    name: impl Fn(&T) -> String,
    descending: bool,
    limit: Option<i32>,
    next: Option<&str>,
) -> Result<(Vec<T>, Option<String>)> {
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let after = cursor(ctx, scope, next)?;
    let seen = |item: &T| match &after {
        None => false,
        Some(after) if descending => name(item) >= *after,
        Some(after) => name(item) <= *after,
    };
    let mut rest = items.into_iter().skip_while(seen);
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let last = page.last().filter(|_| more);
    let next = last.map(|last| token(ctx, scope, &name(last)));
    Ok((page, next))
}
