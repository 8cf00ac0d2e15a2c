//! DetachNetworkInterface.

use roadstead_api_ec2::DetachNetworkInterfaceRequest;
use roadstead_base::{Caller, Ctx};

use crate::error::{self, Result};
use crate::records::Interface;
use crate::service::Ec2;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DetachNetworkInterfaceRequest) -> Result<()> {
    let DetachNetworkInterfaceRequest {
        attachment_id,
        dry_run,
        force,
    } = input;
    ec2.change(ctx, dry_run, |realm, _, plan| {
        let entry = realm.interface_of_attachment(&attachment_id)?;
        Ec2::may_manage(&ctx.caller, &entry.value)?;
        let primary = entry
            .value
            .attachment
            .as_ref()
            .is_some_and(|attachment| attachment.device_index == 0);
        if primary && !matches!(ctx.caller, Caller::Service(_)) {
            return Err(error::other(
                "OperationNotPermitted",
                "The network interface at device index 0 and networkCard index 0 cannot be detached.",
            ));
        }
        // The attachment ends here and now either way: there is no failed instance to wait for.
        tracing::debug!(
            attachment = attachment_id,
            forced = force == Some(true),
            "an interface is detached"
        );
        plan.replace(
            entry,
            &Interface {
                attachment: None,
                ..entry.value.clone()
            },
        )
    })
    .await
}
