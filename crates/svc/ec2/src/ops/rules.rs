//! What the four operations on the rules of a group share: whose rules, in which direction, which of them a
//! request means, and how the group is written with its rules changed.

use std::collections::BTreeSet;

use roadstead_api_ec2::IpPermission;
use roadstead_base::Ctx;

use super::delete_security_group::named_by;
use crate::default_vpc::plan_uses;
use crate::error::Result;
use crate::ids::GroupId;
use crate::keys::Keys;
use crate::permissions::{Asked, Flat, Reader, refuse_members};
use crate::plan::Plan;
use crate::records::Group;
use crate::world::{Realm, Rec};

/// The rules of one direction of one group, and those that a request describes.
pub(super) struct Rules {
    group_id: Option<String>,
    group_name: Option<String>,
    pub(super) egress: bool,
    permissions: Option<Vec<IpPermission>>,
    flat: Flat,
}

impl Rules {
    /// Ingress requests name a group by id or name, and have a flat form.
    pub(super) fn ingress(
        group_id: Option<String>,
        group_name: Option<String>,
        permissions: Option<Vec<IpPermission>>,
        flat: Flat,
    ) -> Result<Self> {
        refuse_members(permissions.as_ref())?;
        Ok(Self {
            group_id,
            group_name,
            egress: false,
            permissions,
            flat,
        })
    }

    /// Egress requests have an id alone, and members of a flat form that EC2 documents as not supported.
    pub(super) fn egress(
        group_id: String,
        permissions: Option<Vec<IpPermission>>,
        unsupported: &Flat,
    ) -> Result<Self> {
        unsupported.refuse()?;
        refuse_members(permissions.as_ref())?;
        Ok(Self {
            group_id: Some(group_id),
            group_name: None,
            egress: true,
            permissions,
            flat: Flat::default(),
        })
    }

    /// Whether the request describes any rule.
    pub(super) fn are_described(&self) -> bool {
        self.permissions.as_ref().is_some_and(|list| !list.is_empty()) || !self.flat.is_empty()
    }

    pub(super) fn group<'r>(&self, realm: &'r Realm) -> Result<&'r Rec<Group>> {
        realm.group_by(self.group_id.as_deref(), self.group_name.as_deref())
    }

    /// The rules that the request describes.
    pub(super) fn read(&self, ctx: &Ctx, realm: &Realm, group: &Group) -> Result<Vec<Asked>> {
        let reader = Reader {
            realm,
            account: ctx.account.as_str(),
            group,
            egress: self.egress,
        };
        reader.read(self.permissions.clone(), self.flat.clone())
    }
}

/// Plans a group with other rules, and which groups its rules name from then on.
pub(super) fn plan_rules(keys: &Keys, plan: &mut Plan, entry: &Rec<Group>, group: &Group) -> Result<()> {
    let (before, after): (BTreeSet<&GroupId>, BTreeSet<&GroupId>) = (named_by(&entry.value), named_by(group));
    let added: Vec<GroupId> = after.difference(&before).copied().cloned().collect();
    plan_uses(keys, plan, group.id.as_str(), &added)?;
    for gone in before.difference(&after) {
        plan.delete(&keys.use_of_group(gone, group.id.as_str()));
    }
    plan.replace(entry, group)
}
