//! Access keys: of users, and of the account's root. A secret is shown once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_api_iam::{
    AccessKey, AccessKeyLastUsed, AccessKeyMetadata, CreateAccessKeyRequest, CreateAccessKeyResponse,
    DeleteAccessKeyRequest, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse, ListAccessKeysRequest,
    ListAccessKeysResponse, StatusType, UpdateAccessKeyRequest,
};
use roadstead_base::{Caller, Ctx, random_bytes};
use roadstead_protocol::ApiError;

use crate::error::{Result, input as invalid, no_key, quota};
use crate::ids;
use crate::limits;
use crate::ops::users::no_user_here;
use crate::page::page;
use crate::realm::{Kind, Realm};
use crate::records::{KeyRecord, Record};
use crate::service::Iam;
use crate::show::whole_second;

const ROOT: &str = "root";

/// Whose keys are meant: the named user's, the calling user's, or, with none, the root's.
fn owner(ctx: &Ctx, named: Option<String>) -> Result<Option<String>> {
    match (named, &ctx.caller) {
        (Some(name), _) => Ok(Some(name)),
        (None, Caller::User(user)) => Ok(Some(user.name.clone())),
        (None, Caller::Root) => Ok(None),
        (None, _) => Err(no_user_here()),
    }
}

/// The owner's name as it stands in the user's record.
fn known(realm: &Realm<'_>, owner: Option<&String>) -> Result<Option<String>> {
    owner.map(|name| Ok(realm.user(name)?.name.clone())).transpose()
}

fn status(key: &KeyRecord) -> StatusType {
    if key.active {
        StatusType::Active
    } else {
        StatusType::Inactive
    }
}

fn shown_owner(key: &KeyRecord) -> String {
    key.user.clone().unwrap_or_else(|| ROOT.to_owned())
}

pub(crate) async fn create(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse> {
    let CreateAccessKeyRequest { user_name } = input;
    let owner = owner(ctx, user_name)?;
    let secret = random_bytes::<30>().map_err(|error| {
        tracing::error!(%error, "no secret could be made");
        ApiError::new(
            "ServiceFailure",
            500,
            "No secret could be made; please try again.",
        )
    })?;
    let secret = STANDARD.encode(secret);
    let now = iam.clock.now();
    iam.change(ctx, |realm, plan| {
        let user = known(realm, owner.as_ref())?;
        if realm.keys_of(user.as_deref()).len() >= limits::KEYS_PER_USER {
            return Err(quota("AccessKeysPerUser", limits::KEYS_PER_USER));
        }
        let mut id = ids::access_key(&iam.secret, ids::LONG_TERM, &ctx.account);
        while realm.access_key(&id).is_ok() {
            id = ids::access_key(&iam.secret, ids::LONG_TERM, &ctx.account);
        }
        let key = KeyRecord {
            id,
            secret: secret.clone(),
            user,
            active: true,
            created: now,
        };
        plan.put(Kind::Key, &key.id, Record::Key(key.clone()));
        Ok(CreateAccessKeyResponse {
            access_key: AccessKey {
                status: status(&key),
                user_name: shown_owner(&key),
                access_key_id: key.id,
                secret_access_key: key.secret,
                create_date: Some(whole_second(key.created)),
            },
        })
    })
    .await
}

pub(crate) async fn list(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse> {
    let ListAccessKeysRequest {
        marker,
        max_items,
        user_name,
    } = input;
    let owner = owner(ctx, user_name)?;
    iam.read(ctx, |realm| {
        let user = known(realm, owner.as_ref())?;
        let one = |key: &&KeyRecord| AccessKeyMetadata {
            access_key_id: Some(key.id.clone()),
            create_date: Some(whole_second(key.created)),
            status: Some(status(key)),
            user_name: Some(shown_owner(key)),
        };
        let keys = realm.keys_of(user.as_deref());
        let items = keys
            .iter()
            .map(|key| (format!("{:020}/{}", key.created.0, key.id), one(key)));
        let page = page(ctx, &format!("ListAccessKeys/{user:?}"), items, marker, max_items)?;
        Ok(ListAccessKeysResponse {
            access_key_metadata: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

/// A key of that owner.
fn owned<'a>(realm: &Realm<'a>, owner: Option<&String>, id: &str) -> Result<&'a KeyRecord> {
    let user = known(realm, owner)?;
    let key = realm.access_key(id)?;
    if key.user == user && key.id == id {
        Ok(key)
    } else {
        Err(no_key(id))
    }
}

pub(crate) async fn update(iam: &Iam, ctx: &Ctx, input: UpdateAccessKeyRequest) -> Result<()> {
    let UpdateAccessKeyRequest {
        access_key_id,
        status,
        user_name,
    } = input;
    let active = match status {
        StatusType::Active => true,
        StatusType::Inactive => false,
        StatusType::Expired => return Err(invalid("A key's status can be set to Active or Inactive.")),
    };
    let owner = owner(ctx, user_name)?;
    iam.change(ctx, |realm, plan| {
        let mut key = owned(realm, owner.as_ref(), &access_key_id)?.clone();
        if key.active != active {
            key.active = active;
            plan.put(Kind::Key, &key.id.clone(), Record::Key(key));
        }
        Ok(())
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteAccessKeyRequest) -> Result<()> {
    let DeleteAccessKeyRequest {
        access_key_id,
        user_name,
    } = input;
    let owner = owner(ctx, user_name)?;
    iam.change(ctx, |realm, plan| {
        let key = owned(realm, owner.as_ref(), &access_key_id)?;
        plan.delete(Kind::Key, &key.id);
        Ok(())
    })
    .await
}

pub(crate) async fn last_used(
    iam: &Iam,
    ctx: &Ctx,
    input: GetAccessKeyLastUsedRequest,
) -> Result<GetAccessKeyLastUsedResponse> {
    let GetAccessKeyLastUsedRequest { access_key_id } = input;
    iam.read(ctx, |realm| {
        let key = realm.access_key(&access_key_id)?;
        const NEVER: &str = "N/A";
        let used = match iam.last_used(&key.id) {
            Some(used) => AccessKeyLastUsed {
                region: used.region,
                service_name: used.service,
                last_used_date: Some(whole_second(used.at)),
            },
            None => AccessKeyLastUsed {
                region: NEVER.to_owned(),
                service_name: NEVER.to_owned(),
                last_used_date: None,
            },
        };
        Ok(GetAccessKeyLastUsedResponse {
            access_key_last_used: Some(used),
            user_name: Some(shown_owner(key)),
        })
    })
    .await
}
