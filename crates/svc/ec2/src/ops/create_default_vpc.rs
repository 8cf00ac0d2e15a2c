//! CreateDefaultVpc: for owners who deleted theirs.

use roadstead_api_ec2::{CreateDefaultVpcRequest, CreateDefaultVpcResult};
use roadstead_base::Ctx;

use crate::error::Result;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: CreateDefaultVpcRequest) -> Result<CreateDefaultVpcResult> {
    let CreateDefaultVpcRequest { dry_run } = input;
    let vpc = ec2.make_default_vpc(ctx, dry_run).await?;
    Ok(CreateDefaultVpcResult { vpc: Some(show::vpc::wire(ctx, &vpc)) })
}
