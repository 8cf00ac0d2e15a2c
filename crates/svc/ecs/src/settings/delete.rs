//! DeleteAccountSetting: the principal has no choice of its own any more. Tells what holds for it then.

use roadstead_api_ecs::{DeleteAccountSettingRequest, DeleteAccountSettingResponse};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use super::{effective, key, known, principal, show};
use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn delete_account_setting(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteAccountSettingRequest,
) -> Result<DeleteAccountSettingResponse> {
    let DeleteAccountSettingRequest { name, principal_arn } = input;
    known(name)?;
    let principal = principal(ctx, principal_arn)?;
    let done = Transaction::new(&ecs.store)
        .delete(&key(ecs, ctx, name, &principal))
        .commit()
        .await?;
    let Outcome::Committed(_) = done else {
        return Err(Error::Contended);
    };
    let value = effective(ecs, ctx, name, &principal).await?;
    Ok(DeleteAccountSettingResponse {
        setting: Some(show(name, value, principal)),
    })
}
