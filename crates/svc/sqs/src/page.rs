//! Pages of listings. Without `MaxResults` there is one page of at most a thousand, and no token, as documented.

use roadstead_base::Ctx;

use crate::error::{Error, Result};

const PAGE: usize = 1000;

/// The items of a page, and the token of the next. `items` are names in order; `scope` is the operation and whatever
/// the token must not be carried across.
pub(crate) fn cut(
    ctx: &Ctx,
    scope: &str,
    items: Vec<String>,
    most: Option<i32>,
    token: Option<&str>,
) -> Result<(Vec<String>, Option<String>)> {
    let limit = match most {
        None => PAGE,
        Some(most) => usize::try_from(most)
            .ok()
            .filter(|most| (1..=PAGE).contains(most))
            .ok_or_else(|| Error::value("MaxResults", most, "Must be between 1 and 1000, if provided."))?,
    };
    if token.is_some() && most.is_none() {
        return Err(Error::Value(
            "The MaxResults parameter is required when NextToken is given.".into(),
        ));
    }
    let scope = format!("sqs/{}/{}/{scope}", ctx.account, ctx.region);
    let after = token
        .map(|token| ctx.pager.decode(&scope, token))
        .transpose()
        .map_err(|_| Error::Value("Invalid or expired next token.".into()))?;
    let mut rest = items
        .into_iter()
        .skip_while(|item| after.as_ref().is_some_and(|after| item <= after));
    let page: Vec<String> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some() && most.is_some();
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| ctx.pager.encode(&scope, last));
    Ok((page, next))
}
