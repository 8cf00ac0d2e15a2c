//! ListSecrets.

use roadstead_api_secretsmanager::{
    Filter, FilterNameStringType, ListSecretsRequest, ListSecretsResponse, SecretListEntry, SortByType,
    SortOrderType,
};
use roadstead_base::{Ctx, Timestamp};

use crate::SecretsManager;
use crate::error::{Error, Result};
use crate::ops::describe::stages;
use crate::records::Secret;
use crate::tags;

/// Items of one page.
const PAGE: usize = 100;

/// A place in a listing: what it is sorted by, then the name, which is on nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor(String);

impl Cursor {
    pub(crate) fn at(time: Timestamp, name: &str) -> Self {
        // In order of the number also as text.
        Self(format!(
            "{:020} {name}",
            i128::from(time.0) - i128::from(i64::MIN)
        ))
    }
}

pub(crate) async fn list_secrets(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: ListSecretsRequest,
) -> Result<ListSecretsResponse> {
    let ListSecretsRequest {
        filters,
        include_planned_deletion,
        max_results,
        next_token,
        sort_by,
        sort_order,
    } = input;
    let filters = filters.unwrap_or_default();
    let filters = filters.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let deleted = include_planned_deletion.unwrap_or_default();
    let sort_by = sort_by.unwrap_or(SortByType::CreatedDate);
    let descending = sort_order == Some(SortOrderType::Desc);
    let mut secrets: Vec<(Cursor, Secret)> = manager
        .all(&ctx.partition())
        .await?
        .into_iter()
        .filter(|secret| deleted || secret.deletion.is_none())
        .filter(|secret| filters.iter().all(|(key, values)| matches(secret, key, values)))
        .map(|secret| (cursor(&secret, &sort_by), secret))
        .collect();
    secrets.sort_by(|a, b| a.0.cmp(&b.0));
    if descending {
        secrets.reverse();
    }
    let scope = format!("secrets/{filters:?}/{deleted}/{sort_by:?}/{descending}");
    let (secrets, next_token) = page(ctx, &scope, secrets, |item| &item.0, max_results, next_token)?;
    let show = |(_, secret): (Cursor, Secret)| SecretListEntry {
        arn: Some(secret.arn(&ctx.partition())),
        created_date: Some(secret.created),
        deleted_date: secret.deletion.map(|deletion| deletion.at),
        description: secret.description.clone(),
        last_accessed_date: secret.accessed,
        last_changed_date: Some(secret.changed),
        secret_versions_to_stages: stages(&secret),
        tags: Some(tags::show(&secret.tags)).filter(|tags| !tags.is_empty()),
        name: Some(secret.name),
        ..Default::default()
    };
    Ok(ListSecretsResponse {
        next_token,
        secret_list: Some(secrets.into_iter().map(show).collect()),
    })
}

/// The items behind the token's. `items` are in the listing's order; a token names the last one shown.
pub(crate) fn page<T>(
    ctx: &Ctx,
    scope: &str,
    items: Vec<T>,
    cursor: impl Fn(&T) -> &Cursor,
    max_results: Option<i32>,
    next_token: Option<String>,
) -> Result<(Vec<T>, Option<String>)> {
    let scope = format!("secretsmanager/{}/{}/{scope}", ctx.account, ctx.region);
    let limit = max_results
        .and_then(|max| usize::try_from(max).ok())
        .unwrap_or(PAGE);
    let after = match next_token {
        None => None,
        Some(token) => Some(Cursor(
            ctx.pager.decode(&scope, &token).map_err(|_| Error::NextToken)?,
        )),
    };
    let descending = items.windows(2).any(|pair| cursor(&pair[0]) > cursor(&pair[1]));
    let shown = |item: &T| match &after {
        None => false,
        Some(after) if descending => cursor(item) >= after,
        Some(after) => cursor(item) <= after,
    };
    let mut items = items.into_iter().skip_while(shown);
    let page: Vec<T> = items.by_ref().take(limit).collect();
    let more = items.next().is_some();
    let last = page.last().filter(|_| more);
    let token = last.map(|item| ctx.pager.encode(&scope, &cursor(item).0));
    Ok((page, token))
}

fn cursor(secret: &Secret, by: &SortByType) -> Cursor {
    match by {
        SortByType::Name => Cursor(secret.name.clone()),
        SortByType::CreatedDate => Cursor::at(secret.created, &secret.name),
        SortByType::LastChangedDate => Cursor::at(secret.changed, &secret.name),
        SortByType::LastAccessedDate => Cursor::at(secret.accessed.unwrap_or_default(), &secret.name),
    }
}

fn read(filter: Filter) -> Result<(FilterNameStringType, Vec<String>)> {
    let Filter { key, values } = filter;
    match (key, values) {
        (Some(key), Some(values)) => Ok((key, values)),
        _ => Err(Error::parameter("A filter must have a Key and Values.")),
    }
}

/// One of the values fits; of those with an exclamation mark, every one keeps what it names out.
fn matches(secret: &Secret, key: &FilterNameStringType, values: &[String]) -> bool {
    let (not, one): (Vec<&String>, Vec<&String>) = values.iter().partition(|value| value.starts_with('!'));
    let fits = |value: &str| fits(secret, key, value);
    not.iter().all(|value| !fits(&value[1..])) && (one.is_empty() || one.iter().any(|value| fits(value)))
}

fn fits(secret: &Secret, key: &FilterNameStringType, value: &str) -> bool {
    let lower = |text: &str| text.to_lowercase();
    let description = secret.description.as_deref().unwrap_or_default();
    match key {
        FilterNameStringType::Name => secret.name.starts_with(value),
        FilterNameStringType::Description => lower(description).starts_with(&lower(value)),
        FilterNameStringType::TagKey => secret.tags.keys().any(|key| key.starts_with(value)),
        FilterNameStringType::TagValue => secret.tags.values().any(|tag| tag.starts_with(value)),
        // No secret here is replicated from elsewhere or owned by another service.
        FilterNameStringType::PrimaryRegion | FilterNameStringType::OwningService => false,
        FilterNameStringType::All => {
            let tags = secret
                .tags
                .iter()
                .flat_map(|(key, value)| [key.as_str(), value.as_str()]);
            let words: Vec<String> = [secret.name.as_str(), description]
                .into_iter()
                .chain(tags)
                .flat_map(words_of)
                .collect();
            let mut wanted = words_of(value);
            wanted.all(|wanted| words.iter().any(|word| word.starts_with(&wanted)))
        }
    }
}

fn words_of(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    async fn names(world: &World, request: Json) -> Vec<String> {
        let shown = world.ok("ListSecrets", request).await;
        let list = shown["SecretList"].as_array().expect("a list");
        list.iter()
            .map(|s| s["Name"].as_str().expect("a name").to_owned())
            .collect()
    }

    async fn world() -> World {
        let world = World::new();
        for (name, description, key, value) in [
            ("prod/db", "Main database", "team", "Blue"),
            ("prod/api", "Key of the API", "team", "red"),
            ("test/db", "Scratch database", "owner", "Blue"),
        ] {
            let tags = json!([{"Key": key, "Value": value}]);
            let request =
                json!({"Name": name, "Description": description, "Tags": tags, "SecretString": "x"});
            world.ok("CreateSecret", request).await;
            world.advance_seconds(1);
        }
        world
    }

    #[tokio::test]
    async fn list_secrets_filters_as_documented() {
        let world = world().await;
        for (key, values, expected) in [
            ("name", vec!["prod/"], vec!["prod/db", "prod/api"]),
            ("name", vec!["Prod/"], vec![]),
            ("name", vec!["prod/api", "test"], vec!["prod/api", "test/db"]),
            ("name", vec!["!prod/"], vec!["test/db"]),
            ("name", vec!["!prod/api", "!test"], vec!["prod/db"]),
            ("description", vec!["main"], vec!["prod/db"]),
            ("description", vec!["database"], vec![]),
            ("tag-key", vec!["team"], vec!["prod/db", "prod/api"]),
            ("tag-key", vec!["Team"], vec![]),
            ("tag-value", vec!["Blu"], vec!["prod/db", "test/db"]),
            ("all", vec!["DATABASE"], vec!["prod/db", "test/db"]),
            ("all", vec!["data blue main"], vec!["prod/db"]),
            ("all", vec!["red", "scratch"], vec!["prod/api", "test/db"]),
            ("primary-region", vec!["us-east-1"], vec![]),
            (
                "primary-region",
                vec!["!us-east-1"],
                vec!["prod/db", "prod/api", "test/db"],
            ),
            ("owning-service", vec!["rds"], vec![]),
        ] {
            let request = json!({"Filters": [{"Key": key, "Values": values}]});
            assert_eq!(names(&world, request).await, expected, "{key} {values:?}");
        }
        let two = json!({"Filters": [{"Key": "name", "Values": ["prod"]}, {"Key": "tag-value", "Values": ["Blue"]}]});
        assert_eq!(names(&world, two).await, ["prod/db"]);
        for filter in [json!({"Key": "name"}), json!({"Values": ["x"]})] {
            world
                .refused(
                    "ListSecrets",
                    json!({"Filters": [filter]}),
                    "InvalidParameterException",
                    "must have",
                )
                .await;
        }
    }

    #[tokio::test]
    async fn list_secrets_sorts_and_pages_also_across_a_restart() {
        let world = world().await;
        world
            .ok("UpdateSecret", json!({"SecretId": "prod/db", "Description": "x"}))
            .await;
        world.ok("GetSecretValue", json!({"SecretId": "test/db"})).await;
        let created = ["prod/db", "prod/api", "test/db"];
        for (by, expected) in [
            (None, created),
            (Some("created-date"), created),
            (Some("name"), ["prod/api", "prod/db", "test/db"]),
            (Some("last-changed-date"), ["prod/api", "test/db", "prod/db"]),
            (Some("last-accessed-date"), ["prod/api", "prod/db", "test/db"]),
        ] {
            for (order, reversed) in [(None, false), (Some("asc"), false), (Some("desc"), true)] {
                let mut expected = expected.to_vec();
                if reversed {
                    expected.reverse();
                }
                let (mut seen, mut token) = (Vec::new(), Json::Null);
                loop {
                    let mut request = json!({"MaxResults": 1});
                    for (member, value) in [("SortBy", by), ("SortOrder", order)] {
                        if let Some(value) = value {
                            request[member] = value.into();
                        }
                    }
                    if !token.is_null() {
                        request["NextToken"] = token;
                    }
                    let world = world.restarted();
                    let shown = world.ok("ListSecrets", request).await;
                    let page = shown["SecretList"].as_array().expect("a list");
                    assert!(page.len() <= 1);
                    seen.extend(
                        page.iter()
                            .map(|s| s["Name"].as_str().expect("a name").to_owned()),
                    );
                    token = shown["NextToken"].clone();
                    if token.is_null() {
                        break;
                    }
                }
                assert_eq!(seen, expected, "{by:?} {order:?}");
            }
        }
        let forged = json!({"NextToken": "forged"});
        world
            .refused("ListSecrets", forged, "InvalidNextTokenException", "NextToken")
            .await;
    }

    #[tokio::test]
    async fn list_secrets_shows_deleted_ones_when_asked() {
        let world = world().await;
        world.ok("DeleteSecret", json!({"SecretId": "prod/db"})).await;
        assert_eq!(names(&world, json!({})).await, ["prod/api", "test/db"]);
        let all = world
            .ok("ListSecrets", json!({"IncludePlannedDeletion": true}))
            .await;
        let first = &all["SecretList"][0];
        assert_eq!(first["DeletedDate"].as_f64(), Some(START.as_seconds() + 3.0));
        assert_eq!(first["Tags"], json!([{"Key": "team", "Value": "Blue"}]));
        assert!(first["SecretVersionsToStages"].is_object() && first.get("SecretString").is_none());
        world.advance_days(31);
        let left = names(&world, json!({"IncludePlannedDeletion": true})).await;
        assert_eq!(left, ["prod/api", "test/db"]);
        assert!(
            !world.everything().await.contains("Main database"),
            "it is gone, not only hidden"
        );
    }
}
