//! DescribeTags.

use roadstead_api_ec2::{DescribeTagsRequest, DescribeTagsResult, TagDescription};
use roadstead_base::Ctx;

use crate::error::Result;
use crate::filter::Filters;
use crate::page::Paging;
use crate::records::Tags;
use crate::service::Ec2;
use crate::show::one;
use crate::world::Realm;

const FILTERS: &[&str] = &["key", "resource-id", "resource-type", "tag:", "value"];

/// A tag and whose it is.
struct Tagged<'r> {
    resource: &'r str,
    kind: &'static str,
    key: &'r str,
    value: &'r str,
}

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DescribeTagsRequest) -> Result<DescribeTagsResult> {
    let DescribeTagsRequest {
        dry_run,
        filters,
        max_results,
        next_token,
    } = input;
    let filters = Filters::new(filters, FILTERS)?;
    let paging = Paging::new(
        ctx,
        &format!("DescribeTags/{}", filters.scope()),
        max_results,
        next_token,
        None,
    )?;
    super::dry_run(dry_run)?;
    ec2.read(ctx, |realm| {
        let mut found = all(realm);
        found.retain(|tag| {
            let itself = Tags::from([(tag.key.to_owned(), tag.value.to_owned())]);
            filters.pass(&itself, |name| match name {
                "key" => one(tag.key),
                "resource-id" => one(tag.resource),
                "resource-type" => one(tag.kind),
                _ => one(tag.value),
            })
        });
        found.sort_by_key(cursor);
        let (page, next_token) = paging.cut(ctx, found.into_iter(), cursor);
        let tags = page
            .into_iter()
            .map(|tag| TagDescription {
                key: Some(tag.key.to_owned()),
                resource_id: Some(tag.resource.to_owned()),
                resource_type: Some(tag.kind.to_owned()),
                value: Some(tag.value.to_owned()),
            })
            .collect();
        Ok(DescribeTagsResult {
            next_token,
            tags: Some(tags),
        })
    })
    .await?
}

fn cursor(tag: &Tagged<'_>) -> String {
    format!("{}\n{}", tag.resource, tag.key)
}

fn all(realm: &Realm) -> Vec<Tagged<'_>> {
    fn of<'r>(resource: &'r str, kind: &'static str, tags: &'r Tags) -> impl Iterator<Item = Tagged<'r>> {
        tags.iter().map(move |(key, value)| Tagged {
            resource,
            kind,
            key,
            value,
        })
    }
    let vpcs = realm
        .vpcs
        .values()
        .flat_map(|e| of(e.value.id.as_str(), "vpc", &e.value.tags));
    let subnets = realm
        .subnets
        .values()
        .flat_map(|e| of(e.value.id.as_str(), "subnet", &e.value.tags));
    let groups = realm
        .groups
        .values()
        .flat_map(|e| of(e.value.id.as_str(), "security-group", &e.value.tags));
    let rules = realm
        .groups
        .values()
        .flat_map(|e| &e.value.rules)
        .flat_map(|rule| of(rule.id.as_str(), "security-group-rule", &rule.tags));
    let interfaces = realm
        .interfaces
        .values()
        .flat_map(|e| of(e.value.id.as_str(), "network-interface", &e.value.tags));
    vpcs.chain(subnets)
        .chain(groups)
        .chain(rules)
        .chain(interfaces)
        .collect()
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{CreateTagsRequest, DescribeTagsRequest, Ec2 as _};

    use crate::testing::{Bench, fails, filter, tag};

    #[tokio::test]
    async fn describe_tags_filters_and_pages() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let tags = CreateTagsRequest {
            resources: vec![vpc.clone(), subnet.clone()],
            tags: vec![tag("Name", "x"), tag("env", "test"), tag("team", "a")],
            ..Default::default()
        };
        bench.ec2.create_tags(&ctx, tags).await.expect("tagged");
        let all = || DescribeTagsRequest::default();
        let ask = async |input| bench.ec2.describe_tags(&ctx, input).await;
        for (name, value, wanted) in [
            ("key", "Name", 2),
            ("key", "*", 6),
            ("resource-id", vpc.as_str(), 3),
            ("resource-type", "subnet", 3),
            ("tag:Name", "x", 2),
            ("tag:Name", "y", 0),
            ("value", "test", 2),
        ] {
            let input = DescribeTagsRequest {
                filters: filter(name, &[value]),
                ..all()
            };
            assert_eq!(
                ask(input).await.expect("an answer").tags.map(|tags| tags.len()),
                Some(wanted),
                "{name}={value}"
            );
        }
        let first = ask(DescribeTagsRequest {
            max_results: Some(5),
            ..all()
        })
        .await
        .expect("a page");
        assert_eq!(first.tags.map(|tags| tags.len()), Some(5));
        let next = DescribeTagsRequest {
            max_results: Some(5),
            next_token: first.next_token,
            ..all()
        };
        let rest = ask(next).await.expect("a page");
        assert_eq!(
            (rest.tags.map(|tags| tags.len()), rest.next_token),
            (Some(1), None)
        );
        fails(
            ask(DescribeTagsRequest {
                max_results: Some(4),
                ..all()
            })
            .await,
            "InvalidParameterValue",
            "maxResults",
        );
        fails(
            ask(DescribeTagsRequest {
                dry_run: Some(true),
                ..all()
            })
            .await,
            "DryRunOperation",
            "",
        );
        let wrong = DescribeTagsRequest {
            filters: filter("tag-key", &[]),
            ..all()
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "The filter 'tag-key' is invalid",
        );
    }
}
