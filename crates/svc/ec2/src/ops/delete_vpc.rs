//! DeleteVpc. The default group goes with it; anything else in it keeps it.

use roadstead_api_ec2::DeleteVpcRequest;
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::records::DefaultVpcMark;
use crate::service::Ec2;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DeleteVpcRequest) -> Result<()> {
    let DeleteVpcRequest { vpc_id, dry_run } = input;
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = realm.vpc(&vpc_id)?;
        let vpc = &entry.value;
        let others = realm
            .groups_of(&vpc.id)
            .filter(|group| group.value.id != vpc.default_group)
            .count();
        if realm.subnets_of(&vpc.id).next().is_some() || others > 0 {
            return Err(error::dependency(format!(
                "The vpc '{vpc_id}' has dependencies and cannot be deleted."
            )));
        }
        plan.unmodified(entry);
        plan.none_below(&keys.subnet_ranges(&vpc.id));
        plan.none_below(&keys.group_names(&vpc.id));
        plan.delete(&keys.vpc(&vpc.id));
        plan.delete(&keys.group(&vpc.default_group));
        if let Some(mark) = realm
            .default_mark
            .as_ref()
            .filter(|mark| mark.value.vpc.as_ref() == Some(&vpc.id))
        {
            plan.replace(mark, &DefaultVpcMark { vpc: None })?;
        }
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        DeleteSecurityGroupRequest, DeleteSubnetRequest, DeleteVpcRequest, DescribeSecurityGroupsRequest,
        DescribeVpcsRequest, Ec2 as _,
    };

    use crate::testing::{Bench, fails, filter};

    #[tokio::test]
    async fn delete_vpc_refuses_while_something_is_in_it() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let group = bench.group(&vpc, "web").await;
        let delete = |dry_run| DeleteVpcRequest {
            vpc_id: vpc.clone(),
            dry_run,
        };
        let words = format!("The vpc '{vpc}' has dependencies and cannot be deleted.");
        fails(
            bench.ec2.delete_vpc(&ctx, delete(None)).await,
            "DependencyViolation",
            &words,
        );
        let input = DeleteSubnetRequest {
            subnet_id: subnet,
            ..Default::default()
        };
        bench.ec2.delete_subnet(&ctx, input).await.expect("gone");
        fails(
            bench.ec2.delete_vpc(&ctx, delete(None)).await,
            "DependencyViolation",
            &words,
        );
        let input = DeleteSecurityGroupRequest {
            group_id: Some(group),
            ..Default::default()
        };
        bench.ec2.delete_security_group(&ctx, input).await.expect("gone");
        fails(
            bench.ec2.delete_vpc(&ctx, delete(Some(true))).await,
            "DryRunOperation",
            "",
        );
        bench.ec2.delete_vpc(&ctx, delete(None)).await.expect("gone");
        fails(
            bench.ec2.delete_vpc(&ctx, delete(None)).await,
            "InvalidVpcID.NotFound",
            &vpc,
        );
        let input = DescribeVpcsRequest {
            vpc_ids: Some(vec![vpc.clone()]),
            ..Default::default()
        };
        fails(
            bench.ec2.describe_vpcs(&ctx, input).await,
            "InvalidVpcID.NotFound",
            &vpc,
        );
        let input = DescribeSecurityGroupsRequest {
            filters: filter("vpc-id", &[&vpc]),
            ..Default::default()
        };
        let left = bench
            .ec2
            .describe_security_groups(&ctx, input)
            .await
            .expect("an answer");
        assert_eq!(
            left.security_groups,
            Some(vec![]),
            "the default group went with it"
        );
    }

    #[tokio::test]
    async fn delete_vpc_knows_only_this_accounts_vpcs() {
        let bench = Bench::new().await;
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let other = bench.ctx_of(roadstead_base::Caller::Root, "111111111111", "us-east-1");
        let delete = DeleteVpcRequest {
            vpc_id: vpc,
            ..Default::default()
        };
        fails(
            bench.ec2.delete_vpc(&other, delete).await,
            "InvalidVpcID.NotFound",
            "does not exist",
        );
        let delete = DeleteVpcRequest {
            vpc_id: "mine".to_owned(),
            ..Default::default()
        };
        fails(
            bench.ec2.delete_vpc(&other, delete).await,
            "InvalidVpcID.Malformed",
            "expecting \"vpc-...\"",
        );
    }
}
