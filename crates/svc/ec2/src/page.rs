//! Pages of describe calls.

use roadstead_base::Ctx;

use crate::error::{self, Result};

/// What `MaxResults` may be.
const SIZES: std::ops::RangeInclusive<i32> = 5..=1000;
/// The size of a page that nobody asked a size of.
const DEFAULT_SIZE: usize = 1000;

/// Which page.
#[derive(Debug)]
pub(crate) struct Paging {
    /// Of the items, only those whose cursor is greater.
    after: Option<String>,
    size: usize,
    scope: String,
}

impl Paging {
    /// `listing` names the operation and whatever else the order of items depends on. With `ids`, the name of
    /// the member that lists ids, there are no pages.
    pub(crate) fn new(
        ctx: &Ctx,
        listing: &str,
        max_results: Option<i32>,
        next_token: Option<String>,
        ids: Option<&str>,
    ) -> Result<Self> {
        if let Some(ids) = ids
            && max_results.is_some()
        {
            return Err(error::combination(format!(
                "The parameter {ids} cannot be used with the parameter maxResults"
            )));
        }
        let size = match max_results {
            None => DEFAULT_SIZE,
            Some(size) if size < *SIZES.start() => {
                return Err(error::invalid_value(format!(
                    "Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {}.",
                    SIZES.start()
                )));
            }
            Some(size) if size > *SIZES.end() => {
                return Err(error::invalid_value(format!(
                    "Value ( {size} ) for parameter maxResults is invalid. Expecting a value less than or equal to {}.",
                    SIZES.end()
                )));
            }
            Some(size) => usize::try_from(size).unwrap_or(DEFAULT_SIZE),
        };
        let scope = format!("{}/{}/ec2/{listing}", ctx.account, ctx.region);
        let after = next_token
            .filter(|token| !token.is_empty())
            .map(|token| {
                ctx.pager
                    .decode(&scope, &token)
                    .map_err(|_| error::other("InvalidNextToken", "The specified NextToken is not valid."))
            })
            .transpose()?;
        Ok(Self { after, size, scope })
    }

    /// Cuts the page out of all items, which come in order of their cursors, and makes the token of the next.
    pub(crate) fn cut<T>(
        &self,
        ctx: &Ctx,
        items: impl Iterator<Item = T>,
        cursor: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let mut page: Vec<T> = items
            .filter(|item| self.after.as_ref().is_none_or(|after| cursor(item) > *after))
            .take(self.size + 1)
            .collect();
        let token = if page.len() > self.size {
            page.truncate(self.size);
            page.last()
                .map(|last| ctx.pager.encode(&self.scope, &cursor(last)))
        } else {
            None
        };
        (page, token)
    }
}
