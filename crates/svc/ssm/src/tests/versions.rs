//! Putting and getting parameters, and their versions and labels.

use crate::testing::*;

#[tokio::test]
async fn put_parameter_makes_versions_that_outlive_a_restart() {
    let world = World::new();
    let input = json!({"Name": "/app/url", "Value": "one", "Type": "String", "Description": "The URL"});
    let made = world.ok("PutParameter", input.clone()).await;
    assert_eq!(made, json!({"Version": 1, "Tier": "Standard"}));
    world
        .refused("PutParameter", input, "ParameterAlreadyExists", "already exists")
        .await;
    world.advance_seconds(60);
    // Without a type: the one it has.
    let over = world
        .ok(
            "PutParameter",
            json!({"Name": "/app/url", "Value": "two", "Overwrite": true}),
        )
        .await;
    assert_eq!(over["Version"], 2);
    let world = world.restarted();
    let found = world.ok("GetParameter", json!({"Name": "/app/url"})).await;
    let wanted = json!({
        "Name": "/app/url", "Type": "String", "Value": "two", "Version": 2, "DataType": "text",
        "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/app/url", "LastModifiedDate": 1_700_000_060,
    });
    assert_eq!(found["Parameter"], wanted);
    let old = world.ok("GetParameter", json!({"Name": "/app/url:1"})).await;
    assert_eq!(
        (&old["Parameter"]["Value"], &old["Parameter"]["Selector"]),
        (&json!("one"), &json!(":1"))
    );
    let arn = "arn:aws:ssm:us-east-1:000000000000:parameter/app/url:1";
    assert_eq!(world.value(arn).await, "one");
    let described = world.ok("DescribeParameters", json!({})).await;
    let one = &described["Parameters"][0];
    assert_eq!(
        (&one["Description"], &one["Version"]),
        (&json!("The URL"), &json!(2)),
        "what is not said stays"
    );
    assert_eq!(one["LastModifiedUser"], "arn:aws:iam::000000000000:root");
    world.put("list", "x").await;
    world
        .ok(
            "PutParameter",
            json!({"Name": "names", "Value": "a,b", "Type": "StringList"}),
        )
        .await;
    assert_eq!(world.value("names").await, "a,b");
}

#[tokio::test]
async fn put_parameter_refuses_what_it_cannot_do() {
    let world = World::new();
    world.put("a", "x").await;
    let big = "x".repeat(4097);
    let huge = "x".repeat(8193);
    let tags = json!([{"Key": "k", "Value": "v"}]);
    for (more, code, words) in [
        (json!({"Type": null}), "ValidationException", "type is required"),
        (
            json!({"Value": ""}),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (json!({"Value": "{{ssm:a}}"}), "ValidationException", "nest"),
        (
            json!({"Value": big}),
            "ValidationException",
            "maximum parameter value of 4096",
        ),
        (
            json!({"Value": huge, "Tier": "Advanced"}),
            "ValidationException",
            "maximum parameter value of 8192",
        ),
        (
            json!({"Value": huge, "Tier": "Intelligent-Tiering"}),
            "ValidationException",
            "8192",
        ),
        (
            json!({"Policies": "[]"}),
            "ValidationException",
            "Policies is not supported",
        ),
        (
            json!({"DataType": "aws:ec2:image"}),
            "ValidationException",
            "DataType aws:ec2:image is not supported",
        ),
        (
            json!({"DataType": "Text"}),
            "ValidationException",
            "data type is not supported: Text",
        ),
        (
            json!({"KeyId": "alias/aws/ssm"}),
            "ValidationException",
            "SecureString",
        ),
        (
            json!({"Type": "SecureString", "KeyId": "alias/mine"}),
            "InvalidKeyId",
            "alias/mine",
        ),
        (
            json!({"AllowedPattern": "("}),
            "InvalidAllowedPatternException",
            "(",
        ),
        (
            json!({"AllowedPattern": "^\\d+$"}),
            "ParameterPatternMismatchException",
            "^\\d+$",
        ),
        (
            json!({"Overwrite": true, "Tags": tags}),
            "ValidationException",
            "overwrite can't be used together",
        ),
        (
            json!({"Name": "a", "Overwrite": true, "Type": "SecureString"}),
            "HierarchyTypeMismatchException",
            "type",
        ),
        (json!({"Name": "aws/x"}), "ValidationException", "prefixed"),
        (
            json!({"Name": "/a".repeat(16)}),
            "HierarchyLevelLimitExceededException",
            "15 levels",
        ),
        (
            json!({"Tags": [{"Key": "aws:x", "Value": "v"}]}),
            "ValidationException",
            "reserved",
        ),
        (
            json!({"Tags": [{"Key": "k", "Value": "v"}, {"Key": "k", "Value": "w"}]}),
            "ValidationException",
            "Duplicate",
        ),
    ] {
        let mut input = json!({"Name": "b", "Value": "x", "Type": "String"});
        for (name, value) in more.as_object().expect("members") {
            match value {
                Json::Null => drop(input.as_object_mut().expect("an object").remove(name)),
                value => input[name] = value.clone(),
            }
        }
        world.refused("PutParameter", input, code, words).await;
    }
}

#[tokio::test]
async fn patterns_and_tiers_bind_later_versions() {
    let world = World::new();
    let put = async |more: Json| {
        let mut input = json!({"Name": "n", "Value": "1", "Type": "String", "Overwrite": true});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        world.call("PutParameter", input).await
    };
    put(json!({"AllowedPattern": "^\\d+$"})).await.expect("a number");
    let error = put(json!({"Value": "x"})).await.expect_err("no number");
    assert_eq!(error.code, "ParameterPatternMismatchException");
    put(json!({"Value": "x", "AllowedPattern": ""}))
        .await
        .expect("the pattern is gone");
    let advanced = put(json!({"Value": "x".repeat(5000), "Tier": "Intelligent-Tiering"}))
        .await
        .expect("fits");
    assert_eq!(advanced["Tier"], "Advanced");
    assert_eq!(put(json!({})).await.expect("stays")["Tier"], "Advanced");
    let error = put(json!({"Tier": "Standard"})).await.expect_err("no way back");
    assert!(error.message.contains("can't downgrade"), "{error}");
    let small = world
        .ok(
            "PutParameter",
            json!({"Name": "s", "Value": "x", "Type": "String", "Tier": "Intelligent-Tiering"}),
        )
        .await;
    assert_eq!(small["Tier"], "Standard");
}

#[tokio::test]
async fn secure_strings_are_sealed_at_rest_and_without_decryption() {
    let world = World::new();
    let input = json!({"Name": "/db/password", "Value": "hunter4711", "Type": "SecureString", "KeyId": "alias/aws/ssm"});
    world.ok("PutParameter", input).await;
    assert!(!world.everything().await.contains("hunter4711"));
    let world = world.restarted();
    assert_eq!(world.value("/db/password").await, "hunter4711");
    let closed = world.ok("GetParameter", json!({"Name": "/db/password"})).await;
    let shown = closed["Parameter"]["Value"].as_str().expect("a value");
    assert!(!shown.contains("hunter4711") && shown.len() > 10, "{shown}");
    let history = world
        .ok(
            "GetParameterHistory",
            json!({"Name": "/db/password", "WithDecryption": true}),
        )
        .await;
    assert_eq!(history["Parameters"][0]["Value"], "hunter4711");
    assert_eq!(history["Parameters"][0]["KeyId"], "alias/aws/ssm");
    let many = world
        .ok(
            "GetParameters",
            json!({"Names": ["/db/password"], "WithDecryption": true}),
        )
        .await;
    assert_eq!(many["Parameters"][0]["Value"], "hunter4711");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new();
    world.put("/a", "x").await;
    for (name, code, words) in [
        ("b", "ParameterNotFound", "b not found"),
        (
            "/aws/service/ami-amazon-linux-latest/x",
            "ParameterNotFound",
            "not found",
        ),
        ("/a:7", "ParameterVersionNotFound", "version 7"),
        ("/a:prod", "ParameterVersionNotFound", "label prod"),
        ("a b", "ValidationException", "Invalid parameter name"),
        (
            "arn:aws:ssm:eu-west-1:000000000000:parameter/a",
            "ParameterNotFound",
            "not found",
        ),
    ] {
        world
            .refused("GetParameter", json!({"Name": name}), code, words)
            .await;
    }
    let found = world
        .ok("GetParameters", json!({"Names": ["b", "/a", "/a:7", "a b"]}))
        .await;
    assert_eq!(names(&found["Parameters"]), ["/a"]);
    assert_eq!(found["InvalidParameters"], json!(["/a:7", "a b", "b"]));
}

#[tokio::test]
async fn a_hundred_versions_are_kept_and_a_label_holds_its_own() {
    let world = World::new();
    for number in 1..=101 {
        assert_eq!(world.put("n", &number.to_string()).await, number);
    }
    world
        .refused(
            "GetParameter",
            json!({"Name": "n:1"}),
            "ParameterVersionNotFound",
            "version 1",
        )
        .await;
    assert_eq!(world.value("n:2").await, "2");
    world
        .ok(
            "LabelParameterVersion",
            json!({"Name": "n", "ParameterVersion": 2, "Labels": ["keep"]}),
        )
        .await;
    let input = json!({"Name": "n", "Value": "x", "Overwrite": true});
    world
        .refused(
            "PutParameter",
            input,
            "ParameterMaxVersionLimitExceeded",
            "Version 2",
        )
        .await;
    world
        .ok("LabelParameterVersion", json!({"Name": "n", "Labels": ["keep"]}))
        .await;
    assert_eq!(world.put("n", "102").await, 102);
    assert_eq!(world.value("n:keep").await, "101");
}

#[tokio::test]
async fn labels_move_and_are_taken_off() {
    let world = World::new();
    world.put("n", "one").await;
    world.put("n", "two").await;
    let answer = world
        .ok(
            "LabelParameterVersion",
            json!({"Name": "n", "ParameterVersion": 1, "Labels": ["prod", "9x", "aws1"]}),
        )
        .await;
    assert_eq!(
        answer,
        json!({"ParameterVersion": 1, "InvalidLabels": ["9x", "aws1"]})
    );
    assert_eq!(world.value("n:prod").await, "one");
    let answer = world
        .ok(
            "LabelParameterVersion",
            json!({"Name": "n", "Labels": ["prod", "test"]}),
        )
        .await;
    assert_eq!(answer["ParameterVersion"], 2);
    assert_eq!(world.restarted().value("n:prod").await, "two");
    let many: Vec<String> = (0..9).map(|number| format!("l{number}")).collect();
    world
        .refused(
            "LabelParameterVersion",
            json!({"Name": "n", "Labels": many}),
            "ParameterVersionLabelLimitExceeded",
            "10 labels",
        )
        .await;
    world
        .refused(
            "LabelParameterVersion",
            json!({"Name": "n", "ParameterVersion": 9, "Labels": ["x"]}),
            "ParameterVersionNotFound",
            "version 9",
        )
        .await;
    world
        .refused(
            "LabelParameterVersion",
            json!({"Name": "no", "Labels": ["x"]}),
            "ParameterNotFound",
            "no",
        )
        .await;
    let input = json!({"Name": "n", "ParameterVersion": 2, "Labels": ["test", "other"]});
    let answer = world.ok("UnlabelParameterVersion", input).await;
    assert_eq!(
        answer,
        json!({"RemovedLabels": ["test"], "InvalidLabels": ["other"]})
    );
    let history = world.ok("GetParameterHistory", json!({"Name": "n"})).await;
    let labels: Vec<&Json> = history["Parameters"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|one| &one["Labels"])
        .collect();
    assert_eq!(labels, [&json!([]), &json!(["prod"])]);
    world
        .refused(
            "UnlabelParameterVersion",
            json!({"Name": "n", "ParameterVersion": 9, "Labels": ["x"]}),
            "ParameterVersionNotFound",
            "9",
        )
        .await;
}

#[tokio::test]
async fn parameters_are_deleted_with_their_values() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.put(name, "value-of-it").await;
    }
    world.ok("DeleteParameter", json!({"Name": "a"})).await;
    world
        .refused(
            "DeleteParameter",
            json!({"Name": "a"}),
            "ParameterNotFound",
            "a not found",
        )
        .await;
    let answer = world
        .ok("DeleteParameters", json!({"Names": ["b", "c", "d", "e f"]}))
        .await;
    assert_eq!(
        answer,
        json!({"DeletedParameters": ["b", "c"], "InvalidParameters": ["d", "e f"]})
    );
    assert!(!world.everything().await.contains("value-of-it"));
    assert_eq!(world.put("a", "again").await, 1, "it begins anew");
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let world = World::new();
    let tags = json!([{"Key": "a", "Value": "1"}]);
    world
        .ok(
            "PutParameter",
            json!({"Name": "/n", "Value": "x", "Type": "String", "Tags": tags}),
        )
        .await;
    let of = |more: Json| {
        let mut input = json!({"ResourceType": "Parameter", "ResourceId": "/n"});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        input
    };
    world
        .ok(
            "AddTagsToResource",
            of(json!({"Tags": [{"Key": "b", "Value": "2"}]})),
        )
        .await;
    world
        .ok("RemoveTagsFromResource", of(json!({"TagKeys": ["a", "none"]})))
        .await;
    let listed = world.restarted().ok("ListTagsForResource", of(json!({}))).await;
    assert_eq!(listed["TagList"], json!([{"Key": "b", "Value": "2"}]));
    let many: Vec<Json> = (0..50)
        .map(|number| json!({"Key": format!("k{number}"), "Value": ""}))
        .collect();
    world
        .refused(
            "AddTagsToResource",
            of(json!({"Tags": many})),
            "TooManyTagsError",
            "50",
        )
        .await;
    world
        .refused(
            "ListTagsForResource",
            of(json!({"ResourceId": "no"})),
            "InvalidResourceId",
            "no",
        )
        .await;
    world
        .refused(
            "ListTagsForResource",
            of(json!({"ResourceType": "Document"})),
            "InvalidResourceType",
            "Document",
        )
        .await;
}
