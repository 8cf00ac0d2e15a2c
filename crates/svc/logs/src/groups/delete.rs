//! DeleteLogGroup: the group with all its streams and lines, at once for every later call; the disk is freed
//! afterwards.

use roadstead_api_logs::DeleteLogGroupRequest;
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Logs;
use crate::error::{Error, Result};
use crate::groups::{group_key, table};

/// How often it is tried while others change the group.
const MAX_TRIES: usize = 32;

pub(crate) async fn delete_log_group(logs: &Logs, ctx: &Ctx, input: DeleteLogGroupRequest) -> Result<()> {
    let DeleteLogGroupRequest { log_group_name } = input;
    let key = group_key(&ctx.partition(), &log_group_name);
    for _ in 0..MAX_TRIES {
        let entry = table(&logs.store).get(&key).await?.ok_or(Error::NoSuchGroup)?;
        if entry.value.protected {
            return Err(Error::Protected);
        }
        let deleted = Transaction::new(&logs.store)
            .compare_unmodified(&entry)
            .delete(&key)
            .commit()
            .await?;
        if let Outcome::Committed(revision) = deleted {
            logs.groups.wait_for(revision).await?;
            return logs.lines.drop_group(entry.value.id).await;
        }
    }
    Err(Error::Contended)
}
