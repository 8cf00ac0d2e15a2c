//! Resource policies: statements come, show, and go.

use roadstead_dispatch::Permissions as _;

use super::*;

#[tokio::test]
async fn permissions_are_added_shown_and_removed() {
    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    let add = |id: &str, principal: &str| json!({"FunctionName": "f", "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": principal});
    let mut with_source = add("rule", "events.amazonaws.com");
    with_source["SourceArn"] = json!("arn:aws:events:us-east-1:000000000000:rule/r");
    with_source["SourceAccount"] = json!("000000000000");
    let added = bench.ok("AddPermission", with_source.clone()).await;
    let statement: Json = serde_json::from_str(added["Statement"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        statement,
        json!({
            "Sid": "rule", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
            "Condition": {"StringEquals": {"AWS:SourceAccount": "000000000000"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:000000000000:rule/r"}},
        })
    );
    refused(
        bench.call("AddPermission", with_source).await,
        "ResourceConflictException",
        "already exists",
    );
    for principal in ["something", "nobody.example.com"] {
        refused(
            bench.call("AddPermission", add("other", principal)).await,
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        );
    }
    let mut of_alias = add("other", "sns.amazonaws.com");
    of_alias["Qualifier"] = json!("none");
    refused(
        bench.call("AddPermission", of_alias).await,
        "ResourceNotFoundException",
        "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:f:none",
    );
    let skill = bench
        .ok("AddPermission", add("skill", "alexa-appkit.amazon.com"))
        .await;
    let skill: Json = serde_json::from_str(skill["Statement"].as_str().expect("a text")).expect("JSON");
    assert_eq!(skill["Principal"], json!({"Service": "alexa-appkit.amazon.com"}));
    let skill = json!({"FunctionName": "f", "StatementId": "skill"});
    bench.ok("RemovePermission", skill.clone()).await;
    refused(
        bench.call("RemovePermission", skill).await,
        "ResourceNotFoundException",
        "Statement skill is not found in resource policy.",
    );
    let mut of_version = add("account", "111111111111");
    of_version["Qualifier"] = json!("1");
    bench.ok("AddPermission", of_version).await;
    let bench = bench.restarted(0).await;
    let shown = bench.ok("GetPolicy", json!({"FunctionName": "f"})).await;
    let policy: Json = serde_json::from_str(shown["Policy"].as_str().expect("a text")).expect("JSON");
    assert_eq!(policy["Statement"], json!([statement]));
    let permissions = LambdaPermissions::of(&bench.lambda);
    let told = async |arn: &str| permissions.resource_policy(&ctx(), arn).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!(told(arn).await.as_deref(), shown["Policy"].as_str());
    assert!(
        told(&format!("{arn}:1"))
            .await
            .expect("its own")
            .contains("arn:aws:iam::111111111111:root")
    );
    assert_eq!(told(&format!("{arn}:2")).await, None);
    let mut stale = add("other", "sns.amazonaws.com");
    stale["RevisionId"] = json!("x");
    refused(
        bench.call("AddPermission", stale).await,
        "PreconditionFailedException",
        "GetPolicy",
    );
    for (member, value) in [
        ("EventSourceToken", json!("x")),
        ("FunctionUrlAuthType", json!("NONE")),
        ("InvokedViaFunctionUrl", json!(true)),
        ("PrincipalOrgID", json!("o-aaaaaaaaaa")),
    ] {
        let mut request = add("other", "*");
        request[member] = value;
        refused(
            bench.call("AddPermission", request).await,
            "InvalidParameterValueException",
            member,
        );
    }
    let remove = json!({"FunctionName": "f", "StatementId": "rule", "RevisionId": shown["RevisionId"]});
    bench.ok("RemovePermission", remove.clone()).await;
    refused(
        bench.call("RemovePermission", remove).await,
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    );
    refused(
        bench.call("GetPolicy", json!({"FunctionName": "f"})).await,
        "ResourceNotFoundException",
        "does not exist",
    );
    let of_version = bench
        .ok("GetPolicy", json!({"FunctionName": "f", "Qualifier": "1"}))
        .await;
    assert!(of_version["Policy"].as_str().is_some());
    bench
        .ok(
            "RemovePermission",
            json!({"FunctionName": "f", "Qualifier": "1", "StatementId": "account"}),
        )
        .await;
    let latest = bench
        .call("GetPolicy", json!({"FunctionName": "f:$LATEST"}))
        .await;
    refused(latest, "InvalidParameterValueException", "for $LATEST");
}
