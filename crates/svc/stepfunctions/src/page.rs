//! Pages of listings, and tokens that name the last item shown.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

const PAGE: usize = 100;

/// The items of a page and the token of the next. Items come in the order of their cursors; `scope` is the operation and
/// whatever the token must not be carried across. A page size of 0 is the usual one, as documented.
pub(crate) fn cut<T>(
    ctx: &Ctx,
    scope: &str,
    items: impl Iterator<Item = (String, T)>,
    size: Option<i32>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>)> {
    let scope = format!("states/{}/{}/{scope}", ctx.account, ctx.region);
    let after = match token {
        None => None,
        Some(token) => {
            let cursor = ctx.pager.decode(&scope, token);
            Some(cursor.map_err(|_| Error::InvalidToken(token.to_owned()))?)
        }
    };
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size > 0)
        .unwrap_or(PAGE);
    let mut rest = items.skip_while(|(cursor, _)| after.as_ref().is_some_and(|after| cursor <= after));
    let page: Vec<(String, T)> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let last = page.last().filter(|_| more);
    let next = last.map(|(cursor, _)| ctx.pager.encode(&scope, cursor));
    Ok((page.into_iter().map(|(_, item)| item).collect(), next))
}
