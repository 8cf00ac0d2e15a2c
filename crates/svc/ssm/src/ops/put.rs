//! PutParameter.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use roadstead_api_ssm::{ParameterTier, PutParameterRequest, PutParameterResult};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, RangeRequest, Transaction};

use crate::Ssm;
use crate::error::{Error, Result};
use crate::names;
use crate::ops::tags;
use crate::records::{DEFAULT_KEY, Kind, Parameter, TEXT, Tier, Version, values_of};

const MAX_VERSIONS: usize = 100;
const STANDARD_BYTES: usize = 4096;
const ADVANCED_BYTES: usize = 8192;
const STANDARD_PARAMETERS: i64 = 10_000;
const ADVANCED_PARAMETERS: i64 = 100_000;
/// How often it is tried again when others change the same parameter meanwhile.
const MAX_TRIES: u32 = 64;
/// Bytes of a compiled pattern: one that is small as a text can be huge as a machine.
const PATTERN_BYTES: usize = 1 << 20;

pub(crate) async fn put_parameter(
    ssm: &Ssm,
    ctx: &Ctx,
    input: PutParameterRequest,
) -> Result<PutParameterResult> {
    let PutParameterRequest {
        allowed_pattern,
        data_type,
        description,
        key_id,
        name,
        overwrite,
        policies,
        tags: given_tags,
        tier,
        r#type,
        value,
    } = input;
    let partition = ctx.partition();
    let name = names::for_new(&partition, &name)?;
    if policies.is_some() {
        return Err(Error::Unsupported {
            member: "Policies".into(),
        });
    }
    match data_type.as_deref() {
        None | Some("" | TEXT) => {}
        Some(other @ ("aws:ec2:image" | "aws:ssm:integration")) => {
            return Err(Error::Unsupported {
                member: format!("DataType {other}"),
            });
        }
        Some(other) => {
            return Err(Error::validation(format!(
                "The following data type is not supported: {other} (Data type names are all lowercase.)"
            )));
        }
    }
    let kind = r#type.as_ref().map(Kind::of);
    let tags = tags::read(given_tags.unwrap_or_default())?;
    let overwrite = overwrite.unwrap_or_default();
    if overwrite && !tags.is_empty() {
        return Err(Error::validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    check_value(&value)?;
    let wanted = Wanted {
        name,
        kind,
        overwrite,
        description,
        pattern: allowed_pattern,
        key_id,
        tier,
        tags,
        value,
    };
    for _ in 0..MAX_TRIES {
        if let Some(answer) = try_put(ssm, ctx, &wanted).await? {
            return Ok(answer);
        }
    }
    Err(Error::Contended)
}

struct Wanted {
    name: String,
    kind: Option<Kind>,
    overwrite: bool,
    description: Option<String>,
    pattern: Option<String>,
    key_id: Option<String>,
    tier: Option<ParameterTier>,
    tags: BTreeMap<String, String>,
    value: String,
}

fn check_value(value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length \
             greater than or equal to 1.",
        ));
    }
    if value.contains("{{") {
        return Err(Error::validation(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    Ok(())
}

/// `None` when somebody else changed the parameter in between.
async fn try_put(ssm: &Ssm, ctx: &Ctx, wanted: &Wanted) -> Result<Option<PutParameterResult>> {
    let (partition, name) = (ctx.partition(), &wanted.name);
    let table = ssm.parameters();
    let key = table.key(&partition, name);
    let before = table.get(&key).await?;
    if before.is_some() && !wanted.overwrite {
        return Err(Error::Exists);
    }
    let known = before.as_ref().map(|entry| &entry.value);
    let last = known.and_then(Parameter::latest);
    let kind = match (known.map(|known| known.kind), wanted.kind) {
        (Some(known), Some(kind)) if known != kind => return Err(Error::OtherType(name.clone())),
        (Some(known), _) => known,
        (None, Some(kind)) => kind,
        (None, None) => {
            return Err(Error::validation(
                "A parameter type is required when you create a parameter.",
            ));
        }
    };
    check_key(kind, wanted.key_id.as_deref())?;
    let tier = tier(last.map(|(_, version)| version.tier), wanted)?;
    // What a new version does not say stays as it was; what it says is empty is no more.
    let stays = |given: &Option<String>, was: Option<&String>| {
        given
            .clone()
            .or_else(|| was.cloned())
            .filter(|text| !text.is_empty())
    };
    let pattern = stays(
        &wanted.pattern,
        last.and_then(|(_, version)| version.pattern.as_ref()),
    );
    check_pattern(pattern.as_deref(), &wanted.value)?;
    if known.is_none() {
        check_room(ssm, ctx, tier).await?;
    }
    let number = last.map_or(1, |(number, _)| number + 1);
    let version = Version {
        modified: ssm.now(),
        by: ctx.caller.arn(&ctx.account),
        description: stays(
            &wanted.description,
            last.and_then(|(_, version)| version.description.as_ref()),
        ),
        pattern,
        tier,
        labels: BTreeSet::new(),
    };
    let mut parameter = known.cloned().unwrap_or_else(|| Parameter {
        name: name.clone(),
        kind,
        tags: wanted.tags.clone(),
        versions: BTreeMap::new(),
    });
    parameter.versions.insert(number, version);
    let values = values_of(&partition, name);
    let record = ssm.kept(&partition, name, kind, number, &wanted.value)?;
    let mut write = match &before {
        Some(entry) => Transaction::new(&ssm.store).compare_unmodified(entry),
        None => Transaction::new(&ssm.store).compare_absent(&key),
    };
    if parameter.versions.len() > MAX_VERSIONS
        && let Some((oldest, version)) = parameter.versions.pop_first()
    {
        if !version.labels.is_empty() {
            return Err(Error::OldestIsLabelled(name.clone(), oldest));
        }
        write = write.delete(&values.child(oldest.to_string()));
    }
    let write =
        write
            .put(&table, &key, &parameter)
            .put(&ssm.values(), &values.child(number.to_string()), &record);
    let done = matches!(write.commit().await?, Outcome::Committed(_));
    Ok(done.then(|| PutParameterResult {
        tier: Some(tier.shown()),
        version: Some(number),
    }))
}

fn check_key(kind: Kind, key_id: Option<&str>) -> Result<()> {
    match (kind, key_id) {
        (_, None) => Ok(()),
        (Kind::String | Kind::StringList, Some(_)) => Err(Error::validation(
            "KeyId is required for SecureString type parameter only.",
        )),
        (Kind::SecureString, Some(DEFAULT_KEY)) => Ok(()),
        (Kind::SecureString, Some(other)) => Err(Error::KeyId(other.to_owned())),
    }
}

/// The tier that a version gets. Intelligent-Tiering takes the lesser that will do.
fn tier(before: Option<Tier>, wanted: &Wanted) -> Result<Tier> {
    let size = wanted.value.len();
    let chosen = match (&wanted.tier, before) {
        (Some(ParameterTier::Standard), Some(Tier::Advanced)) => {
            return Err(Error::validation(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
                 advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced \
                 parameter and recreate it as a standard parameter.",
            ));
        }
        (Some(ParameterTier::Advanced), _) | (_, Some(Tier::Advanced)) => Tier::Advanced,
        (Some(ParameterTier::IntelligentTiering), _) if size > STANDARD_BYTES => Tier::Advanced,
        (Some(ParameterTier::Standard | ParameterTier::IntelligentTiering) | None, _) => Tier::Standard,
    };
    match chosen {
        Tier::Standard if size > STANDARD_BYTES => Err(Error::validation(format!(
            "Standard tier parameters support a maximum parameter value of {STANDARD_BYTES} characters. To create a larger \
             parameter value, upgrade the parameter to use the advanced-parameter tier."
        ))),
        Tier::Advanced if size > ADVANCED_BYTES => Err(Error::validation(format!(
            "Advanced tier parameters support a maximum parameter value of {ADVANCED_BYTES} characters."
        ))),
        chosen => Ok(chosen),
    }
}

fn check_pattern(pattern: Option<&str>, value: &str) -> Result<()> {
    let Some(pattern) = pattern else { return Ok(()) };
    let compiled = regex::RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES)
        .build();
    let compiled: Regex = compiled.map_err(|_| Error::NoPattern(pattern.to_owned()))?;
    if compiled.is_match(value) {
        Ok(())
    } else {
        Err(Error::Mismatch(pattern.to_owned()))
    }
}

/// The number of parameters is bounded by tier.
async fn check_room(ssm: &Ssm, ctx: &Ctx, tier: Tier) -> Result<()> {
    let table = ssm.parameters();
    let request = RangeRequest::new(table.within(&ctx.partition()).below()).count_only();
    let count = ssm.store.range(request).await?.count;
    let bound = match tier {
        Tier::Standard => STANDARD_PARAMETERS,
        Tier::Advanced => ADVANCED_PARAMETERS,
    };
    if i64::try_from(count).unwrap_or(i64::MAX) < bound {
        return Ok(());
    }
    // Only now is it worth to look at each.
    let all = ssm.all(&ctx.partition()).await?;
    let of_tier = all
        .iter()
        .filter(|one| one.latest().is_some_and(|(_, version)| version.tier == tier))
        .count();
    if i64::try_from(of_tier).unwrap_or(i64::MAX) < bound {
        return Ok(());
    }
    Err(Error::TooManyParameters(format!(
        "You have exceeded the number of parameters for this account: {bound} of this tier."
    )))
}
