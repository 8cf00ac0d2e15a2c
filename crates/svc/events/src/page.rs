//! Pages of listings: `Limit` 1 to 100, and a token that names the last item shown.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

const PAGE: usize = 100;

/// The items of a page, and the token of the next. `items` are in order of `name`; `scope` is the operation and
/// whatever the token must not be carried across.
pub(crate) fn cut<T>(
    ctx: &Ctx,
    scope: &[&str],
    items: Vec<T>,
    name: impl Fn(&T) -> &str,
    limit: Option<i32>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>)> {
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE)
        .min(PAGE);
    let mut whole = format!("events/{}/{}", ctx.account, ctx.region);
    for part in scope {
        whole.push_str(&format!("/{}:{part}", part.len()));
    }
    let after = token
        .map(|token| ctx.pager.decode(&whole, token))
        .transpose()
        .map_err(|_| {
            Error::invalid("Parameter NextToken is not valid. Reason: it was not issued for this list.")
        })?;
    let mut rest = items
        .into_iter()
        .skip_while(|item| after.as_deref().is_some_and(|after| name(item) <= after));
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| ctx.pager.encode(&whole, name(last)));
    Ok((page, next))
}
