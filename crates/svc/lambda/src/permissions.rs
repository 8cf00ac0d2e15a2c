//! What the operations mean to policies, by the Service Authorization Reference's page for Lambda.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::{BoxFuture, Value};

use crate::names::Named;
use crate::records::{FunctionRecord, LATEST};
use crate::{Lambda, PRINCIPAL, layers, policy};

/// Tells the gate of functions, their policies and tags.
pub struct LambdaPermissions(Weak<Lambda>);

impl LambdaPermissions {
    pub fn of(lambda: &Arc<Lambda>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(lambda)))
    }

    fn found(&self, ctx: &Ctx, arn: &str) -> Option<FunctionRecord> {
        let named = Named::of(ctx, arn, None).ok()?;
        self.0.upgrade()?.function(&ctx.partition(), &named).ok()
    }
}

/// The ARN of the function that a request is about, as its policies name it: without `$LATEST`.
fn function(asking: &Asking<'_>) -> String {
    let name = asking.text("FunctionName").unwrap_or("*");
    let named = Named::of(asking.ctx, name, asking.text("Qualifier"));
    let Ok(mut named) = named else {
        return asking.arn("lambda", &format!("function:{name}"));
    };
    named.qualifier = named.qualifier.filter(|qualifier| qualifier != LATEST);
    named.arn(&asking.ctx.partition())
}

fn need(asking: &Asking<'_>) -> Need {
    let arn = function(asking);
    Need::new(format!("lambda:{}", asking.operation))
        .on([arn.clone()])
        .with("lambda:FunctionArn", arn)
}

fn on_function(asking: &Asking<'_>) -> Vec<Need> {
    vec![need(asking)]
}

fn invoke(asking: &Asking<'_>) -> Vec<Need> {
    let arn = function(asking);
    vec![
        Need::new("lambda:InvokeFunction")
            .on([arn.clone()])
            .with("lambda:FunctionArn", arn),
    ]
}

/// Tags that are a map of the request.
fn tags(asking: &Asking<'_>) -> Vec<(String, String)> {
    let Some(Value::Map(fields)) = asking.input.get("Tags") else {
        return Vec::new();
    };
    let text = |value: &Value| match value {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    };
    fields
        .iter()
        .filter_map(|(key, value)| Some((key.to_string(), text(value)?)))
        .collect()
}

/// With the layers it is to have, each of which must be readable.
fn with_layers(asking: &Asking<'_>, mut need: Need) -> Vec<Need> {
    let layers = asking.texts("Layers");
    for layer in &layers {
        need = need.with("lambda:Layer", *layer);
    }
    let mut needs = vec![need];
    if !layers.is_empty() {
        let arns = layers.into_iter().map(str::to_owned);
        needs.push(Need::new("lambda:GetLayerVersion").on(arns));
    }
    if let Some(role) = asking.text("Role") {
        needs.push(Need::pass_role(role, PRINCIPAL));
    }
    needs
}

fn configure(asking: &Asking<'_>) -> Vec<Need> {
    with_layers(asking, need(asking))
}

/// With whom it lets in.
fn permit(asking: &Asking<'_>) -> Vec<Need> {
    vec![need(asking).with_some("lambda:Principal", asking.text("Principal"))]
}

fn create(asking: &Asking<'_>) -> Vec<Need> {
    let tags = tags(asking);
    let mut needs = with_layers(asking, need(asking).tagging(&tags));
    if !tags.is_empty() {
        needs.push(
            Need::new("lambda:TagResource")
                .on([function(asking)])
                .tagging(&tags),
        );
    }
    needs
}

/// On the resource that tags are of.
fn on_resource(asking: &Asking<'_>) -> Vec<Need> {
    let need = Need::new(format!("lambda:{}", asking.operation));
    let arn = asking.text("Resource").unwrap_or("*").to_owned();
    vec![
        need.on([arn])
            .tagging(&tags(asking))
            .untagging(&asking.texts("TagKeys")),
    ]
}

/// On the layer, or the version of it, that a request is about.
fn on_layer(asking: &Asking<'_>) -> Vec<Need> {
    let operation = match asking.operation {
        "GetLayerVersionByArn" => "GetLayerVersion",
        other => other,
    };
    let layer = asking.text("LayerName").unwrap_or("*");
    let layer = match layer.starts_with("arn:") {
        true => layer.to_owned(),
        false => asking.arn("lambda", &format!("layer:{layer}")),
    };
    let arn = match (asking.text("Arn"), asking.input.get("VersionNumber")) {
        (Some(arn), _) => arn.to_owned(),
        (None, Some(Value::Int(number))) => format!("{layer}:{number}"),
        (None, _) => layer,
    };
    vec![Need::new(format!("lambda:{operation}")).on([arn])]
}

impl Permissions for LambdaPermissions {
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 36] = [
            of("AddLayerVersionPermission", on_layer),
            of("AddPermission", permit),
            of("CreateAlias", on_function),
            of("CreateFunction", create),
            of("DeleteAlias", on_function),
            of("DeleteFunction", on_function),
            of("DeleteFunctionConcurrency", on_function),
            of("DeleteFunctionEventInvokeConfig", on_function),
            of("DeleteLayerVersion", on_layer),
            of("GetAlias", on_function),
            of("GetFunction", on_function),
            of("GetFunctionCodeSigningConfig", on_function),
            of("GetFunctionConcurrency", on_function),
            of("GetFunctionConfiguration", on_function),
            of("GetFunctionEventInvokeConfig", on_function),
            of("GetLayerVersion", on_layer),
            of("GetLayerVersionByArn", on_layer),
            of("GetLayerVersionPolicy", on_layer),
            of("GetPolicy", on_function),
            of("Invoke", invoke),
            of("ListAliases", on_function),
            of("ListFunctionEventInvokeConfigs", on_function),
            of("ListTags", on_resource),
            of("ListVersionsByFunction", on_function),
            of("PublishLayerVersion", on_layer),
            of("PublishVersion", on_function),
            of("PutFunctionConcurrency", on_function),
            of("PutFunctionEventInvokeConfig", on_function),
            of("RemoveLayerVersionPermission", on_layer),
            of("RemovePermission", on_function),
            of("TagResource", on_resource),
            of("UntagResource", on_resource),
            of("UpdateAlias", on_function),
            of("UpdateFunctionCode", on_function),
            of("UpdateFunctionConfiguration", configure),
            of("UpdateFunctionEventInvokeConfig", on_function),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let tags = self.found(ctx, arn).map(|function| function.tags);
            tags.unwrap_or_default().into_iter().collect()
        })
    }

    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            if arn.contains(":layer:") {
                return layers::document(self.0.upgrade()?.as_ref(), ctx, arn);
            }
            let of = Named::of(ctx, arn, None).ok()?.qualifier.unwrap_or_default();
            policy::document(&self.found(ctx, arn)?, &of)
        })
    }
}
