//! Functions that are images: what they show, what stays as it was resolved, and what is refused.

mod changes;

use roadstead_functions::{Image, ImageError, Package, ResolvedImage};

use super::*;

const INVALID: &str = "InvalidParameterValueException";
const URI: &str = "registry.example/team/f:latest";
const HOUR: i64 = 3_600_000;

/// The name that a digest of so many equal digits has.
fn name(digit: char) -> String {
    format!("registry.example/team/f@sha256:{}", digit.to_string().repeat(64))
}

impl Bench {
    /// The tag leads there from now on.
    fn tag(&self, digit: char) {
        self.offer(URI, digit, true);
    }

    fn offer(&self, uri: &str, digit: char, has_command: bool) {
        let image = ResolvedImage {
            name: name(digit),
            size: 1,
            has_command,
        };
        self.fake.offer_image(uri, Ok(image));
    }

    async fn get(&self, function: &str) -> Json {
        self.ok("GetFunction", json!({"FunctionName": function})).await
    }

    /// What the last invocation was to run.
    fn ran(&self) -> Image {
        let invoked = self.fake.invoked();
        let (spec, _) = invoked.last().expect("an invocation");
        match &spec.package {
            Package::Image(image) => image.clone(),
            Package::Zip(zip) => panic!("{zip:?} is no image"),
        }
    }

    async fn kept(&self) -> Vec<String> {
        self.lambda.sweep().await.expect("looked");
        self.fake.kept_images().into_iter().collect()
    }
}

fn image(function: &str, more: Json) -> Json {
    let mut request = json!({
        "FunctionName": function, "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": URI},
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        request[member] = value.clone();
    }
    request
}

#[tokio::test]
async fn an_image_is_pinned_until_the_code_is_updated() {
    let bench = Bench::new().await;
    bench.tag('a');
    let made = bench
        .ok("CreateFunction", image("f", json!({"Publish": true})))
        .await;
    for (member, value) in [
        ("PackageType", json!("Image")),
        ("CodeSha256", json!("a".repeat(64))),
        ("CodeSize", json!(0)),
        ("Version", json!("1")),
        ("State", json!("Active")),
        ("LastUpdateStatus", json!("Successful")),
        ("Runtime", Json::Null),
        ("Handler", Json::Null),
        ("ImageConfigResponse", Json::Null),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    // The tag moves; configuration is no reason to look again.
    bench.tag('b');
    let slower = json!({"FunctionName": "f", "Timeout": 9});
    assert_eq!(
        bench.ok("UpdateFunctionConfiguration", slower).await["CodeSha256"],
        "a".repeat(64)
    );
    bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
    assert_eq!(bench.ran().name, name('a'));
    let location = |digit| json!({"RepositoryType": "ECR", "ImageUri": URI, "ResolvedImageUri": name(digit)});
    assert_eq!(bench.get("f").await["Code"], location('a'));
    // A dry run shows what would be, and changes nothing.
    let update = json!({"FunctionName": "f", "ImageUri": URI});
    let mut dry = update.clone();
    dry["DryRun"] = json!(true);
    assert_eq!(
        bench.ok("UpdateFunctionCode", dry).await["CodeSha256"],
        "b".repeat(64)
    );
    assert_eq!(bench.get("f").await["Code"], location('a'));
    let old = bench.get("f").await["Configuration"]["RevisionId"].clone();
    let mut publish = update.clone();
    publish["Publish"] = json!(true);
    let updated = bench.ok("UpdateFunctionCode", publish).await;
    assert_eq!(
        (&updated["Version"], &updated["CodeSha256"]),
        (&json!("2"), &json!("b".repeat(64)))
    );
    assert!(
        bench
            .fake
            .retired()
            .contains(&old.as_str().expect("a revision").to_owned())
    );
    // All of it as it was after a restart, each version with its own.
    let bench = bench.restarted(0).await;
    assert_eq!(bench.get("f").await["Code"], location('b'));
    for (qualifier, digit) in [("1", 'a'), ("2", 'b'), ("$LATEST", 'b')] {
        bench
            .invoke(json!({"FunctionName": "f", "Qualifier": qualifier}))
            .await
            .expect("invoked");
        assert_eq!(bench.ran().name, name(digit), "{qualifier}");
    }
    let listed = bench.ok("ListFunctions", json!({})).await;
    assert_eq!(listed["Functions"][0]["PackageType"], "Image");
    let versions = bench
        .ok("ListVersionsByFunction", json!({"FunctionName": "f"}))
        .await;
    let digests: Vec<&str> = versions["Versions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|version| version["CodeSha256"].as_str())
        .collect();
    assert_eq!(digests, ["b".repeat(64), "a".repeat(64), "b".repeat(64)]);
}

#[tokio::test]
async fn the_same_image_by_another_name_is_no_new_version() {
    let bench = Bench::new().await;
    bench.tag('a');
    bench.offer("registry.example/team/f:v1", 'a', true);
    bench
        .ok("CreateFunction", image("f", json!({"Publish": true})))
        .await;
    let same = json!({"FunctionName": "f", "ImageUri": "registry.example/team/f:v1"});
    bench.ok("UpdateFunctionCode", same).await;
    let wanted = json!({"FunctionName": "f", "CodeSha256": "b".repeat(64)});
    refused(bench.call("PublishVersion", wanted).await, INVALID, "CodeSHA256");
    let wanted = json!({"FunctionName": "f", "CodeSha256": "a".repeat(64)});
    assert_eq!(bench.ok("PublishVersion", wanted).await["Version"], "1");
    // Images take nothing of what an account may store of archives.
    let settings = bench.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountUsage"]["TotalCodeSize"], 0);
}

#[tokio::test]
async fn image_config_reaches_the_sandbox_and_can_be_taken_back() {
    let bench = Bench::new().await;
    bench.tag('a');
    let config = json!({"EntryPoint": ["/bin/sh"], "Command": ["-c", "true"], "WorkingDirectory": "/opt"});
    let made = bench
        .ok("CreateFunction", image("f", json!({"ImageConfig": config})))
        .await;
    assert_eq!(made["ImageConfigResponse"], json!({"ImageConfig": config}));
    bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let expected = Image {
        name: name('a'),
        entry_point: words(&["/bin/sh"]),
        command: words(&["-c", "true"]),
        working_directory: Some("/opt".into()),
    };
    assert_eq!(bench.ran(), expected);
    let changed = json!({"FunctionName": "f", "ImageConfig": {"Command": ["other"]}});
    let changed = bench.ok("UpdateFunctionConfiguration", changed).await;
    assert_eq!(
        changed["ImageConfigResponse"],
        json!({"ImageConfig": {"Command": ["other"]}})
    );
    bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
    let expected = Image {
        name: name('a'),
        entry_point: Vec::new(),
        command: words(&["other"]),
        working_directory: None,
    };
    assert_eq!(bench.ran(), expected);
    // Without a word of it, it stays; an empty one takes it back.
    let slower = json!({"FunctionName": "f", "Timeout": 9});
    let slower = bench.ok("UpdateFunctionConfiguration", slower).await;
    assert_eq!(slower["ImageConfigResponse"], changed["ImageConfigResponse"]);
    let none = json!({"FunctionName": "f", "ImageConfig": {}});
    let none = bench.ok("UpdateFunctionConfiguration", none).await;
    assert_eq!(none["ImageConfigResponse"], Json::Null);
}

#[tokio::test]
async fn what_does_not_go_with_the_package_is_refused() {
    let bench = Bench::new().await;
    bench.tag('a');
    bench.make("zip").await;
    bench.ok("CreateFunction", image("image", json!({}))).await;
    const NO_ARCHIVE: &str =
        "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:l:1";
    let both = json!({"ZipFile": code("x = 1"), "ImageUri": URI});
    let create = |request: Json| ("CreateFunction", request);
    let code_of = |name: &str, more: Json| {
        let mut request = more;
        request["FunctionName"] = json!(name);
        ("UpdateFunctionCode", request)
    };
    let configuration = |name: &str, more: Json| {
        let mut request = more;
        request["FunctionName"] = json!(name);
        ("UpdateFunctionConfiguration", request)
    };
    for ((operation, request), words) in [
        (create(image("f", json!({"Runtime": "python3.12"}))), NO_ARCHIVE),
        (create(image("f", json!({"Handler": "a.b"}))), NO_ARCHIVE),
        (create(image("f", json!({"Layers": [layer]}))), NO_ARCHIVE),
        (
            create(image("f", json!({"Code": {"ZipFile": code("x = 1")}}))),
            "Please provide ImageUri when creating a function with packageType Image.",
        ),
        (
            create(image("f", json!({"Code": both}))),
            "Please don't provide ZipFile when creating a function with packageType Image.",
        ),
        (
            create(image("f", json!({"ImageConfig": {"WorkingDirectory": "app"}}))),
            "WorkingDirectory app is not an absolute path",
        ),
        (
            create(function("f", json!({"Code": {"ImageUri": URI}}))),
            "Please don't provide ImageUri when creating a function with packageType Zip.",
        ),
        (
            create(function("f", json!({"ImageConfig": {"Command": ["x"]}}))),
            "Please don't provide ImageConfig when the intended function PackageType is Zip.",
        ),
        (
            code_of("zip", json!({"ImageUri": URI})),
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ),
        (
            code_of("image", json!({"ZipFile": code("x = 1")})),
            "Please provide ImageUri when updating a function with packageType Image.",
        ),
        (configuration("image", json!({"Handler": "a.b"})), NO_ARCHIVE),
        (
            configuration("image", json!({"Runtime": "python3.12"})),
            NO_ARCHIVE,
        ),
        (configuration("image", json!({"Layers": [layer]})), NO_ARCHIVE),
        (
            configuration("zip", json!({"ImageConfig": {"EntryPoint": ["x"]}})),
            "Please don't provide ImageConfig when the intended function PackageType is Zip.",
        ),
    ] {
        let shown = request.to_string();
        let error = bench.call(operation, request).await.expect_err(&shown);
        assert_eq!(error.code, INVALID, "{shown}: {error}");
        assert!(error.message.contains(words), "{shown}: {error}");
    }
    refused(
        bench.call("GetFunction", json!({"FunctionName": "f"})).await,
        "ResourceNotFoundException",
        "not found",
    );
    // What has no effect on one of them is as good as absent.
    bench
        .ok(
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "image", "Layers": []}),
        )
        .await;
    bench
        .ok(
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "zip", "ImageConfig": {}}),
        )
        .await;
}

#[tokio::test]
async fn an_image_that_cannot_be_had_or_run_is_refused() {
    let bench = Bench::new().await;
    bench.tag('a');
    bench.ok("CreateFunction", image("there", json!({}))).await;
    for (uri, error, code, words) in [
        (
            "Not a reference",
            ImageError::Malformed("spaces".into()),
            INVALID,
            "Source image Not a reference is not valid. Provide a valid source image. (spaces)",
        ),
        (
            "registry.example/team/none",
            ImageError::Missing("404".into()),
            INVALID,
            "Source image registry.example/team/none does not exist. Provide a valid source image. (404)",
        ),
        (
            "registry.example/team/secret",
            ImageError::Denied("401".into()),
            "AccessDeniedException",
            "Lambda does not have permission to access the image registry.example/team/secret.",
        ),
        (
            "registry.example/team/foreign",
            ImageError::Unsupported("linux/s390x".into()),
            INVALID,
            "for the source image registry.example/team/foreign is not supported. (linux/s390x)",
        ),
        (
            "registry.example/team/silent",
            ImageError::Failed("no answer".into()),
            INVALID,
            "Source image registry.example/team/silent cannot be pulled: no answer.",
        ),
    ] {
        bench.fake.offer_image(uri, Err(error));
        let request = image("f", json!({"Code": {"ImageUri": uri}}));
        refused(bench.call("CreateFunction", request).await, code, words);
        let request = json!({"FunctionName": "there", "ImageUri": uri});
        refused(bench.call("UpdateFunctionCode", request).await, code, words);
    }
    assert_eq!(bench.get("there").await["Code"]["ResolvedImageUri"], name('a'));
    // One that nobody says what to run of: the function can, and must go on to.
    bench.offer("registry.example/team/bare", 'c', false);
    let words = "has neither ENTRYPOINT nor CMD. Provide ImageConfig.EntryPoint or ImageConfig.Command.";
    let bare = json!({"Code": {"ImageUri": "registry.example/team/bare"}});
    refused(
        bench.call("CreateFunction", image("f", bare.clone())).await,
        INVALID,
        words,
    );
    let update = json!({"FunctionName": "there", "ImageUri": "registry.example/team/bare"});
    refused(bench.call("UpdateFunctionCode", update).await, INVALID, words);
    let mut told = bare;
    told["ImageConfig"] = json!({"Command": ["/bin/true"]});
    bench.ok("CreateFunction", image("f", told)).await;
    let none = json!({"FunctionName": "f", "ImageConfig": {}});
    refused(
        bench.call("UpdateFunctionConfiguration", none).await,
        INVALID,
        words,
    );
}
