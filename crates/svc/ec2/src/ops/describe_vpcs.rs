//! DescribeVpcs.

use roadstead_api_ec2::{DescribeVpcsRequest, DescribeVpcsResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::filter::Filters;
use crate::lookup::select;
use crate::page::Paging;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DescribeVpcsRequest) -> Result<DescribeVpcsResult> {
    let DescribeVpcsRequest { dry_run, filters, max_results, next_token, vpc_ids } = input;
    let filters = Filters::new(filters, show::vpc::FILTERS)?;
    let ids = vpc_ids.as_ref().filter(|ids| !ids.is_empty()).map(|_| "vpcIds");
    let paging = Paging::new(ctx, &format!("DescribeVpcs/{}", filters.scope()), max_results, next_token, ids)?;
    ec2.read(ctx, |realm| {
        let found = select(&realm.vpcs, error::VPC, vpc_ids.as_deref())?;
        super::dry_run(dry_run)?;
        let passed = found
            .into_iter()
            .map(|entry| &entry.value)
            .filter(|vpc| filters.pass(&vpc.tags, |name| show::vpc::values(ctx, vpc, name)));
        let (page, next_token) = paging.cut(ctx, passed, |vpc| vpc.id.to_string());
        let vpcs = page.into_iter().map(|vpc| show::vpc::wire(ctx, vpc)).collect();
        Ok(DescribeVpcsResult { next_token, vpcs: Some(vpcs) })
    })
    .await?
}
