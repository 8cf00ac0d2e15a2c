//! What the operations mean to policies. A role's own policy, whom it trusts, is its resource policy here: it must
//! allow, whatever the caller's policies say.
//! Source: "Actions, resources, and condition keys for AWS Security Token Service" in the Service Authorization
//! Reference.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::BoxFuture;

use crate::assume::find;
use crate::service::{Sts, role_of};

pub struct StsPermissions(pub Arc<Sts>);

fn need(asking: &Asking<'_>, action: &'static str) -> Need {
    let role = asking.text("RoleArn").unwrap_or("*").to_owned();
    let mut need = Need::new(action)
        .on([role])
        .tagging(&asking.tags("Tags"))
        .with_some("sts:RoleSessionName", asking.text("RoleSessionName"))
        .with_some("sts:ExternalId", asking.text("ExternalId"))
        .with_some("sts:SourceIdentity", asking.text("SourceIdentity"));
    for key in asking.texts("TransitiveTagKeys") {
        need = need.with("sts:TransitiveTagKeys", key);
    }
    need
}

fn assume(asking: &Asking<'_>) -> Vec<Need> {
    let mut needs = vec![need(asking, "sts:AssumeRole")];
    if !asking.tags("Tags").is_empty() {
        needs.push(need(asking, "sts:TagSession"));
    }
    if asking.text("SourceIdentity").is_some() {
        needs.push(need(asking, "sts:SetSourceIdentity"));
    }
    needs
}

fn nothing(_asking: &Asking<'_>) -> Vec<Need> {
    Vec::new()
}

impl Permissions for StsPermissions {
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        &[
            Rule {
                operation: "AssumeRole",
                needs: assume,
            },
            // Neither needs leave, as documented.
            Rule {
                operation: "GetCallerIdentity",
                needs: nothing,
            },
            Rule {
                operation: "GetSessionToken",
                needs: nothing,
            },
        ]
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let Some((account, name)) = role_of(arn) else {
                return Vec::new();
            };
            let role = find(&self.0, ctx, &account, &name).await;
            let tags = role.and_then(|role| role.tags).unwrap_or_default();
            tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
        })
    }

    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let (account, name) = role_of(arn)?;
            let role = find(&self.0, ctx, &account, &name)
                .await
                .filter(|role| role.arn == arn)?;
            let text = role.assume_role_policy_document?;
            Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
        })
    }
}
