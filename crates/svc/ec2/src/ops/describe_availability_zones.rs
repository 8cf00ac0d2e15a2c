//! DescribeAvailabilityZones.

use roadstead_api_ec2::{
    AvailabilityZone, AvailabilityZoneOptInStatus, AvailabilityZoneState, DescribeAvailabilityZonesRequest,
    DescribeAvailabilityZonesResult,
};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::filter::{Filters, Values};
use crate::records::Tags;
use crate::service::Ec2;
use crate::show::one;
use crate::zones::Zone;

const FILTERS: &[&str] = &[
    "group-long-name",
    "group-name",
    "message",
    "opt-in-status",
    "parent-zone-id",
    "parent-zone-name",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
];

const ZONE_TYPE: &str = "availability-zone";

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResult> {
    // There are no zones here that one has to opt in to, so `all_availability_zones` adds none.
    let DescribeAvailabilityZonesRequest {
        all_availability_zones,
        dry_run,
        filters,
        zone_ids,
        zone_names,
    } = input;
    let opted_in_only = all_availability_zones != Some(true);
    let filters = Filters::new(filters, FILTERS)?;
    let zones = ec2.zones(&ctx.region);
    known(&zone_names, "availability zone", |name| {
        zones.iter().any(|zone| zone.name == name)
    })?;
    known(&zone_ids, "availability zone id", |id| {
        zones.iter().any(|zone| zone.id == id)
    })?;
    super::dry_run(dry_run)?;
    let asked = |list: &Option<Vec<String>>, value: &String| {
        list.as_ref()
            .is_none_or(|list| list.is_empty() || list.contains(value))
    };
    let opt_in = AvailabilityZoneOptInStatus::OptInNotRequired;
    let found = zones
        .iter()
        .filter(|zone| asked(&zone_names, &zone.name) && asked(&zone_ids, &zone.id))
        .filter(|_| !opted_in_only || opt_in != AvailabilityZoneOptInStatus::NotOptedIn)
        .filter(|zone| filters.pass(&Tags::new(), |name| values(ctx, zone, name)))
        .map(|zone| wire(ctx, zone, opt_in))
        .collect();
    Ok(DescribeAvailabilityZonesResult {
        availability_zones: Some(found),
    })
}

fn known(list: &Option<Vec<String>>, what: &str, exists: impl Fn(&str) -> bool) -> Result<()> {
    match list.iter().flatten().find(|value| !exists(value)) {
        Some(value) => Err(error::invalid_value(format!(
            "Invalid {what}: [{}]",
            error::clip(value)
        ))),
        None => Ok(()),
    }
}

fn group_name(ctx: &Ctx) -> String {
    format!("{}-zg-1", ctx.region)
}

fn group_long_name(ctx: &Ctx) -> String {
    format!("{} 1", ctx.region)
}

fn wire(ctx: &Ctx, zone: &Zone, opt_in: AvailabilityZoneOptInStatus) -> AvailabilityZone {
    AvailabilityZone {
        geography: None,
        group_long_name: Some(group_long_name(ctx)),
        group_name: Some(group_name(ctx)),
        messages: Some(Vec::new()),
        network_border_group: Some(ctx.region.to_string()),
        opt_in_status: Some(opt_in),
        parent_zone_id: None,
        parent_zone_name: None,
        region_name: Some(ctx.region.to_string()),
        state: Some(AvailabilityZoneState::Available),
        sub_geography: None,
        zone_id: Some(zone.id.clone()),
        zone_name: Some(zone.name.clone()),
        zone_type: Some(ZONE_TYPE.to_owned()),
    }
}

fn values(ctx: &Ctx, zone: &Zone, filter: &str) -> Values {
    match filter {
        "group-long-name" => one(group_long_name(ctx)),
        "group-name" => one(group_name(ctx)),
        "opt-in-status" => one(AvailabilityZoneOptInStatus::OptInNotRequired.as_str()),
        "region-name" => one(ctx.region.as_str()),
        "state" => one(AvailabilityZoneState::Available.as_str()),
        "zone-id" => one(zone.id.as_str()),
        "zone-name" => one(zone.name.as_str()),
        "zone-type" => one(ZONE_TYPE),
        // No zone has messages or a parent.
        _ => Values::new(),
    }
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{AvailabilityZone, DescribeAvailabilityZonesRequest, Ec2 as _};
    use roadstead_protocol::ApiError;

    use super::FILTERS;
    use crate::testing::{Bench, fails, filter};

    async fn ask(
        bench: &Bench,
        input: DescribeAvailabilityZonesRequest,
    ) -> Result<Vec<AvailabilityZone>, ApiError> {
        let answer = bench
            .ec2
            .describe_availability_zones(&bench.root(), input)
            .await?;
        Ok(answer.availability_zones.expect("zones"))
    }

    #[tokio::test]
    async fn describe_availability_zones_tells_three() {
        let bench = Bench::new().await;
        let list = |name: &str| Some(vec![name.to_owned()]);
        let all = || DescribeAvailabilityZonesRequest::default();
        let zones = ask(&bench, all()).await.expect("zones");
        let names: Vec<_> = zones
            .iter()
            .filter_map(|zone| zone.zone_name.as_deref())
            .collect();
        assert_eq!(names, ["us-east-1a", "us-east-1b", "us-east-1c"]);
        assert_eq!(zones[0].zone_id.as_deref(), Some("use1-az1"));
        assert_eq!(zones[0].group_name.as_deref(), Some("us-east-1-zg-1"));
        let everywhere = DescribeAvailabilityZonesRequest {
            all_availability_zones: Some(true),
            ..all()
        };
        assert_eq!(ask(&bench, everywhere).await.expect("zones"), zones);
        let named = DescribeAvailabilityZonesRequest {
            zone_names: list("us-east-1b"),
            ..all()
        };
        assert_eq!(ask(&bench, named).await.expect("zones"), zones[1..2]);
        let by_id = DescribeAvailabilityZonesRequest {
            zone_ids: list("use1-az3"),
            ..all()
        };
        assert_eq!(ask(&bench, by_id).await.expect("zones"), zones[2..]);
        let wrong = DescribeAvailabilityZonesRequest {
            zone_names: list("us-west-2a"),
            ..all()
        };
        fails(
            ask(&bench, wrong).await,
            "InvalidParameterValue",
            "Invalid availability zone: [us-west-2a]",
        );
        let wrong = DescribeAvailabilityZonesRequest {
            zone_ids: list("usw2-az1"),
            ..all()
        };
        fails(
            ask(&bench, wrong).await,
            "InvalidParameterValue",
            "Invalid availability zone id: [usw2-az1]",
        );
        fails(
            ask(
                &bench,
                DescribeAvailabilityZonesRequest {
                    dry_run: Some(true),
                    ..all()
                },
            )
            .await,
            "DryRunOperation",
            "",
        );
    }

    #[tokio::test]
    async fn describe_availability_zones_filters_by_what_it_shows() {
        let bench = Bench::new().await;
        let count = async |name: &str, value: &str| {
            let filters = filter(name, &[value]);
            let input = DescribeAvailabilityZonesRequest {
                filters,
                ..Default::default()
            };
            ask(&bench, input).await.expect("zones").len()
        };
        for (name, value, wanted) in [
            ("group-long-name", "us-east-1 1", 3),
            ("group-name", "us-east-1-zg-1", 3),
            ("opt-in-status", "opt-in-not-required", 3),
            ("opt-in-status", "opted-in", 0),
            ("region-name", "us-east-1", 3),
            ("state", "available", 3),
            ("zone-id", "use1-az1", 1),
            ("zone-name", "*b", 1),
            ("zone-type", "availability-zone", 3),
            ("parent-zone-id", "*", 0),
        ] {
            assert_eq!(count(name, value).await, wanted, "{name}={value}");
        }
        for name in FILTERS {
            count(name, "x").await;
        }
        let wrong = DescribeAvailabilityZonesRequest {
            filters: filter("tag:x", &[]),
            ..Default::default()
        };
        fails(
            ask(&bench, wrong).await,
            "InvalidParameterValue",
            "The filter 'tag:x' is invalid",
        );
    }
}
