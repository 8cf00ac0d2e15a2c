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
            let group = new_group(vpc, &name, &description, tags.clone());
            plan.exists(&keys.vpc(vpc));
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
