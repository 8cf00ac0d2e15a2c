//! Pages of listings: a hundred items each, and a token that names the last one shown.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

const PAGE: usize = 100;

/// The items of a page, which are texts in order, and the token of the next. `scope` is the operation and whatever the
/// token must not be carried across.
pub(crate) fn cut(
    ctx: &Ctx,
    scope: &str,
    items: Vec<String>,
    token: Option<&str>,
) -> Result<(Vec<String>, Option<String>)> {
    let scope = format!("sns/{}/{}/{scope}", ctx.account, ctx.region);
    let after = token
        .map(|token| ctx.pager.decode(&scope, token))
        .transpose()
        .map_err(|_| Error::invalid("NextToken Reason: it was not issued for this list"))?;
    let mut rest = items
        .into_iter()
        .skip_while(|item| after.as_ref().is_some_and(|after| item <= after));
    let page: Vec<String> = rest.by_ref().take(PAGE).collect();
    let more = rest.next().is_some();
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| ctx.pager.encode(&scope, last));
    Ok((page, next))
}
