//! PutAccountSetting, and PutAccountSettingDefault, which is the root's PutAccountSetting.

use roadstead_api_ecs::{
    PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse, PutAccountSettingRequest,
    PutAccountSettingResponse, Setting, SettingName,
};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use super::{SettingRecord, key, known, principal, root, show};
use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn put_account_setting(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse> {
    let PutAccountSettingRequest {
        name,
        value,
        principal_arn,
    } = input;
    let principal = principal(ctx, principal_arn)?;
    Ok(PutAccountSettingResponse {
        setting: Some(put(ecs, ctx, name, &value, principal).await?),
    })
}

pub(crate) async fn put_account_setting_default(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutAccountSettingDefaultRequest,
) -> Result<PutAccountSettingDefaultResponse> {
    let PutAccountSettingDefaultRequest { name, value } = input;
    Ok(PutAccountSettingDefaultResponse {
        setting: Some(put(ecs, ctx, name, &value, root(&ctx.account)).await?),
    })
}

async fn put(ecs: &Ecs, ctx: &Ctx, name: SettingName, value: &str, principal: String) -> Result<Setting> {
    let (_, values) = known(name)?;
    let wanted = match value {
        "on" => "enabled",
        "off" => "disabled",
        other => other,
    };
    if matches!(wanted, "enabled" | "enhanced") && values == ["disabled"] {
        let setting = format!("The account setting {} = {wanted}", name.as_str());
        return Err(Error::unsupported(setting));
    }
    if !values.contains(&wanted) {
        return Err(Error::invalid(format!(
            "The value {value:?} of the account setting {} is not one of: {}.",
            name.as_str(),
            values.join(", ")
        )));
    }
    let record = SettingRecord {
        name: name.as_str().to_owned(),
        principal: principal.clone(),
        value: wanted.to_owned(),
    };
    // Whoever comes last has chosen: there is nothing to compare.
    let done = Transaction::new(&ecs.store)
        .put(&ecs.account_settings(), &key(ecs, ctx, name, &principal), &record)
        .commit()
        .await?;
    let Outcome::Committed(_) = done else {
        return Err(Error::Contended);
    };
    Ok(show(name, record.value, principal))
}
