//! Listings: by path, by filters, in pages.

use crate::testing::*;

async fn tree() -> World {
    let world = World::new();
    for name in ["/a/one", "/a/two", "/a/b/three", "/c", "flat"] {
        world.put(name, name).await;
    }
    world
        .ok(
            "PutParameter",
            json!({"Name": "/a/secret", "Value": "s", "Type": "SecureString", "Tier": "Advanced"}),
        )
        .await;
    world
}

#[tokio::test]
async fn paths_are_walked_one_level_or_all() {
    let world = tree().await;
    for (path, recursive, wanted) in [
        ("/a", false, vec!["/a/one", "/a/secret", "/a/two"]),
        ("/a/", true, vec!["/a/b/three", "/a/one", "/a/secret", "/a/two"]),
        ("/", false, vec!["/c", "flat"]),
        (
            "/",
            true,
            vec!["/a/b/three", "/a/one", "/a/secret", "/a/two", "/c", "flat"],
        ),
        ("/a/one", true, vec![]),
        ("/nothing", true, vec![]),
    ] {
        let found = world
            .ok(
                "GetParametersByPath",
                json!({"Path": path, "Recursive": recursive}),
            )
            .await;
        assert_eq!(names(&found["Parameters"]), wanted, "{path} {recursive}");
    }
    for path in ["a", "/a b", "//"] {
        world
            .refused(
                "GetParametersByPath",
                json!({"Path": path}),
                "ValidationException",
                "forward slash",
            )
            .await;
    }
    let found = world
        .ok(
            "GetParametersByPath",
            json!({"Path": "/a", "WithDecryption": true}),
        )
        .await;
    assert_eq!(found["Parameters"][1]["Value"], "s");
}

#[tokio::test]
async fn a_path_is_narrowed_by_type_key_and_label() {
    let world = tree().await;
    world.put("/a/one", "new").await;
    world
        .ok(
            "LabelParameterVersion",
            json!({"Name": "/a/one", "ParameterVersion": 1, "Labels": ["prod"]}),
        )
        .await;
    for (filter, wanted) in [
        (
            json!({"Key": "Type", "Values": ["SecureString"]}),
            vec!["/a/secret"],
        ),
        (
            json!({"Key": "Type", "Option": "BeginsWith", "Values": ["S"]}),
            vec!["/a/one", "/a/secret", "/a/two"],
        ),
        (
            json!({"Key": "KeyId", "Values": ["alias/aws/ssm"]}),
            vec!["/a/secret"],
        ),
        (
            json!({"Key": "Label", "Values": ["prod", "other"]}),
            vec!["/a/one"],
        ),
    ] {
        let found = world
            .ok(
                "GetParametersByPath",
                json!({"Path": "/a", "ParameterFilters": [filter]}),
            )
            .await;
        assert_eq!(names(&found["Parameters"]), wanted, "{filter}");
    }
    let filter = json!([{"Key": "Label", "Values": ["prod"]}]);
    let found = world
        .ok(
            "GetParametersByPath",
            json!({"Path": "/a", "ParameterFilters": filter}),
        )
        .await;
    assert_eq!(
        found["Parameters"][0]["Value"], "/a/one",
        "the version that has the label"
    );
    for (filter, code) in [
        (json!({"Key": "Name", "Values": ["x"]}), "InvalidFilterKey"),
        (json!({"Key": "tag:x", "Values": ["x"]}), "InvalidFilterKey"),
        (
            json!({"Key": "Label", "Option": "BeginsWith", "Values": ["x"]}),
            "InvalidFilterOption",
        ),
        (
            json!({"Key": "Type", "Option": "Contains", "Values": ["x"]}),
            "InvalidFilterOption",
        ),
        (json!({"Key": "Type"}), "InvalidFilterValue"),
    ] {
        world
            .refused(
                "GetParametersByPath",
                json!({"Path": "/a", "ParameterFilters": [filter]}),
                code,
                "",
            )
            .await;
    }
}

#[tokio::test]
async fn describe_parameters_filters_as_documented() {
    let world = tree().await;
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    world
        .ok(
            "AddTagsToResource",
            json!({"ResourceType": "Parameter", "ResourceId": "/c", "Tags": tags}),
        )
        .await;
    for (filter, wanted) in [
        (
            json!({"Key": "Name", "Values": ["flat", "/c"]}),
            vec!["/c", "flat"],
        ),
        (json!({"Key": "Name", "Values": ["c"]}), vec!["/c"]),
        (
            json!({"Key": "Name", "Option": "BeginsWith", "Values": ["/a/"]}),
            vec!["/a/b/three", "/a/one", "/a/secret", "/a/two"],
        ),
        (
            json!({"Key": "Name", "Option": "Contains", "Values": ["o"]}),
            vec!["/a/one", "/a/two"],
        ),
        (
            json!({"Key": "Path", "Values": ["/a"]}),
            vec!["/a/one", "/a/secret", "/a/two"],
        ),
        (
            json!({"Key": "Path", "Option": "Recursive", "Values": ["/a/b", "/nothing"]}),
            vec!["/a/b/three"],
        ),
        (json!({"Key": "Tier", "Values": ["Advanced"]}), vec!["/a/secret"]),
        (json!({"Key": "DataType", "Values": ["aws:ec2:image"]}), vec![]),
        (json!({"Key": "tag:team"}), vec!["/c"]),
        (json!({"Key": "tag:team", "Values": ["red"]}), vec![]),
    ] {
        let found = world
            .ok("DescribeParameters", json!({"ParameterFilters": [filter]}))
            .await;
        assert_eq!(names(&found["Parameters"]), wanted, "{filter}");
    }
    let older = json!([{"Key": "Name", "Values": ["/a/"]}, {"Key": "Type", "Values": ["SecureString"]}]);
    let found = world.ok("DescribeParameters", json!({"Filters": older})).await;
    assert_eq!(names(&found["Parameters"]), ["/a/secret"]);
    let both = json!({"Filters": older, "ParameterFilters": []});
    world
        .refused("DescribeParameters", both, "ValidationException", "either")
        .await;
    for (filters, code) in [
        (json!([{"Key": "Label", "Values": ["x"]}]), "InvalidFilterKey"),
        (
            json!([{"Key": "Name", "Values": ["x"]}, {"Key": "Name", "Values": ["y"]}]),
            "InvalidFilterKey",
        ),
        (
            json!([{"Key": "Name", "Option": "Ends", "Values": ["x"]}]),
            "InvalidFilterOption",
        ),
        (
            json!([{"Key": "Path", "Option": "Equals", "Values": ["/x"]}]),
            "InvalidFilterOption",
        ),
        (json!([{"Key": "Path", "Values": ["x"]}]), "InvalidFilterValue"),
        (json!([{"Key": "Name"}]), "InvalidFilterValue"),
    ] {
        world
            .refused(
                "DescribeParameters",
                json!({"ParameterFilters": filters}),
                code,
                "",
            )
            .await;
    }
    let found = world.ok("DescribeParameters", json!({"Shared": true})).await;
    assert_eq!(found["Parameters"], json!([]), "nobody shares anything");
}

#[tokio::test]
async fn listings_page_also_across_a_restart() {
    let world = tree().await;
    for number in 0..3 {
        world.put("flat", &number.to_string()).await;
    }
    for (operation, input) in [
        ("DescribeParameters", json!({"MaxResults": 2})),
        (
            "GetParametersByPath",
            json!({"Path": "/", "Recursive": true, "MaxResults": 2}),
        ),
        ("GetParameterHistory", json!({"Name": "flat", "MaxResults": 1})),
    ] {
        let mut whole = input.clone();
        whole.as_object_mut().expect("an object").remove("MaxResults");
        let whole = world.ok(operation, whole).await["Parameters"].clone();
        let (mut seen, mut token) = (Vec::new(), Json::Null);
        loop {
            let mut page = input.clone();
            if !token.is_null() {
                page["NextToken"] = token;
            }
            let answer = world.restarted().ok(operation, page).await;
            seen.extend(answer["Parameters"].as_array().expect("a list").clone());
            token = answer["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(json!(seen), whole, "{operation}");
        let mut forged = input.clone();
        forged["NextToken"] = json!("forged");
        world
            .refused(operation, forged, "InvalidNextToken", "token")
            .await;
    }
    // A listing of its own: another's token is none.
    let token = world.ok("DescribeParameters", json!({"MaxResults": 1})).await["NextToken"].clone();
    let other = json!({"Path": "/", "Recursive": true, "NextToken": token});
    world
        .refused("GetParametersByPath", other, "InvalidNextToken", "token")
        .await;
}
