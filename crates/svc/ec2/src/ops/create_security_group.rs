//! CreateSecurityGroup.

use roadstead_api_ec2::{CreateSecurityGroupRequest, CreateSecurityGroupResult};
use roadstead_base::Ctx;

use crate::default_vpc::new_group;
use crate::error::{self, Result};
use crate::permissions::plain;
use crate::records::NameClaim;
use crate::service::Ec2;
use crate::{show, tags};

/// Characters of a name and of a description.
const MAX_TEXT: usize = 255;
const ALLOWED: &str = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*";

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResult> {
    let CreateSecurityGroupRequest {
        description,
        group_name,
        dry_run,
        tag_specifications,
        vpc_id,
    } = input;
    let name = group_name.trim().to_owned();
    check_name(&name)?;
    check_description(&description)?;
    let tags = tags::at_creation(&ctx.caller, tag_specifications, "security-group")?;
    let vpc_id = vpc_id.filter(|id| !id.is_empty());
    let group = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let vpc = match &vpc_id {
                Some(id) => realm.vpc(id)?,
                None => realm.default_or_refuse()?,
            };
            let ipv6 = vpc.value.ipv6.is_some();
            // With an IPv6 block come rules: which of the two was first must be certain.
            plan.unmodified(vpc);
            let vpc = &vpc.value.id;
            if realm
                .groups_of(vpc)
                .any(|other| other.value.name.eq_ignore_ascii_case(&name))
            {
                return Err(error::other(
                    "InvalidGroup.Duplicate",
                    format!("The security group '{name}' already exists for VPC '{vpc}'"),
                ));
            }
            let group = new_group(vpc, ipv6, &name, &description, tags.clone());
            plan.insert(
                &keys.group_name(vpc, &name),
                &NameClaim {
                    group: group.id.clone(),
                },
            )?;
            plan.insert(&keys.group(&group.id), &group)?;
            Ok(group)
        })
        .await?;
    Ok(CreateSecurityGroupResult {
        security_group_arn: Some(show::arn(ctx, "security-group", group.id.as_str())),
        tags: Some(tags::shown(&group.tags)),
        group_id: Some(group.id.into()),
    })
}

fn check_name(name: &str) -> Result<()> {
    let invalid = |why: &str| {
        Err(error::invalid_value(format!(
            "Value ({}) for parameter GroupName is invalid. {why}",
            error::clip(name)
        )))
    };
    if name.is_empty() {
        return Err(error::missing("groupName"));
    }
    if name.eq_ignore_ascii_case("default") {
        return Err(error::other(
            "InvalidGroup.Reserved",
            "The name 'default' is reserved, and cannot be used to create a new security group",
        ));
    }
    if name.to_ascii_lowercase().starts_with("sg-") {
        return invalid("Group names may not be in the format sg-*");
    }
    if name.chars().count() > MAX_TEXT || !plain(name) {
        return invalid(&format!(
            "Group names are strings less than 256 characters from the following set: {ALLOWED}"
        ));
    }
    Ok(())
}

fn check_description(description: &str) -> Result<()> {
    if description.is_empty() {
        return Err(error::missing("groupDescription"));
    }
    if description.chars().count() > MAX_TEXT || !plain(description) {
        return Err(error::invalid_value(format!(
            "Invalid security group description. Valid descriptions are strings less than 256 characters from the \
             following set: {ALLOWED}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{CreateSecurityGroupRequest, Ec2 as _};

    use crate::testing::{Bench, fails, tag, tagged};

    fn of(name: &str, vpc: Option<&str>) -> CreateSecurityGroupRequest {
        CreateSecurityGroupRequest {
            description: "for the web".to_owned(),
            group_name: name.to_owned(),
            vpc_id: vpc.map(str::to_owned),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn create_security_group_lets_everything_out_and_nothing_in() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let input = CreateSecurityGroupRequest {
            tag_specifications: tagged("security-group", "Name", "web"),
            ..of("web", Some(&vpc))
        };
        let made = bench
            .ec2
            .create_security_group(&ctx, input)
            .await
            .expect("a group");
        let id = made.group_id.expect("an id");
        assert_eq!(
            made.security_group_arn,
            Some(format!("arn:aws:ec2:us-east-1:000000000000:security-group/{id}"))
        );
        assert_eq!(made.tags, Some(vec![tag("Name", "web")]));
        bench.restart().await;
        let group = bench.shown_group(&id).await;
        assert_eq!(
            (group.group_name.as_deref(), group.vpc_id),
            (Some("web"), Some(vpc))
        );
        assert_eq!(group.description.as_deref(), Some("for the web"));
        assert_eq!(group.ip_permissions, Some(vec![]));
        let egress = group.ip_permissions_egress.expect("permissions");
        assert_eq!((egress.len(), egress[0].ip_protocol.as_deref()), (1, Some("-1")));
        assert_eq!((egress[0].from_port, egress[0].to_port), (None, None));
        assert_eq!(
            egress[0].ip_ranges.as_ref().expect("ranges")[0]
                .cidr_ip
                .as_deref(),
            Some("0.0.0.0/0")
        );
    }

    #[tokio::test]
    async fn create_security_group_without_a_vpc_uses_the_default_one() {
        let bench = Bench::new().await;
        let default = bench.default_vpc().await.vpc_id;
        let made = bench
            .ec2
            .create_security_group(&bench.root(), of("web", None))
            .await
            .expect("a group");
        let group = bench.shown_group(&made.group_id.expect("an id")).await;
        assert_eq!(group.vpc_id.as_deref(), Some(default.as_str()));
    }

    #[tokio::test]
    async fn create_security_group_refuses_bad_names() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let ask = async |input| bench.ec2.create_security_group(&ctx, input).await;
        ask(of("web", Some(&vpc))).await.expect("a group");
        let words = format!("The security group 'web' already exists for VPC '{vpc}'");
        fails(ask(of("web", Some(&vpc))).await, "InvalidGroup.Duplicate", &words);
        fails(
            ask(of("WEB", Some(&vpc))).await,
            "InvalidGroup.Duplicate",
            "already exists",
        );
        ask(of("web", None)).await.expect("a group of another VPC");
        fails(
            ask(of("Default", Some(&vpc))).await,
            "InvalidGroup.Reserved",
            "default",
        );
        fails(
            ask(of("sg-web", Some(&vpc))).await,
            "InvalidParameterValue",
            "sg-*",
        );
        fails(
            ask(of("wéb", Some(&vpc))).await,
            "InvalidParameterValue",
            "GroupName",
        );
        fails(
            ask(of(&"x".repeat(256), Some(&vpc))).await,
            "InvalidParameterValue",
            "256 characters",
        );
        fails(ask(of(" ", Some(&vpc))).await, "MissingParameter", "groupName");
        fails(
            ask(of("db", Some("vpc-0123"))).await,
            "InvalidVpcID.NotFound",
            "vpc-0123",
        );
        let described = |text: &str| CreateSecurityGroupRequest {
            description: text.to_owned(),
            ..of("db", None)
        };
        fails(
            ask(described("<tag>")).await,
            "InvalidParameterValue",
            "Invalid security group description",
        );
        fails(ask(described("")).await, "MissingParameter", "groupDescription");
        let dry = CreateSecurityGroupRequest {
            dry_run: Some(true),
            ..of("db", None)
        };
        fails(ask(dry).await, "DryRunOperation", "");
        let wrong = CreateSecurityGroupRequest {
            tag_specifications: tagged("vpc", "a", "b"),
            ..of("db", None)
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "'vpc' is not a valid taggable",
        );
    }

    #[tokio::test]
    async fn groups_made_at_the_same_time_do_not_share_a_name() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let calls = (0..16).map(|_| bench.ec2.create_security_group(&ctx, of("web", Some(&vpc))));
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    }
}
