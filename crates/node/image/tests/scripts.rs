//! `scripts/oci_image.py`: what it builds can be imported, pushed, and pulled again; the same input gives the same
//! bytes. Needs python3 and root.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use common::*;
use roadstead_image::Auth;

fn tool(args: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/oci_image.py");
    Command::new("python3")
        .arg(script)
        .args(args)
        .output()
        .expect("python3")
}

fn run(args: &[&str]) -> String {
    let output = tool(args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("utf-8")
}

#[tokio::test]
async fn built_pushed_pulled() {
    let temp = tempfile::tempdir().expect("tempdir");
    let root = temp.path().join("root");
    fs::create_dir_all(root.join("bin")).expect("create");
    fs::create_dir(root.join("tmp")).expect("create");
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("mode");
    fs::write(root.join("bin/one"), "1").expect("write");
    fs::hard_link(root.join("bin/one"), root.join("bin/two")).expect("link");
    symlink("bin", root.join("sbin")).expect("link");
    std::os::unix::fs::chown(root.join("bin/one"), Some(33), Some(44)).expect("chown");
    let root = root.to_str().expect("utf-8");
    let build = |name: &str| {
        let output = temp.path().join(name).to_str().expect("utf-8").to_owned();
        let config = r#"{"Cmd": ["one"], "StopSignal": "SIGQUIT"}"#;
        run(&[
            "build",
            "--root",
            root,
            "--name",
            "app:latest",
            "--config",
            config,
            "--output",
            &output,
        ]);
        output
    };
    let (first, second) = (build("first.tar"), build("second.tar"));
    assert_eq!(fs::read(&first).expect("read"), fs::read(&second).expect("read"));

    let imported = open(&temp.path().join("a"), None).await;
    let image = imported
        .import(Path::new(&first), None)
        .await
        .expect("import")
        .remove(0);
    assert_eq!(image.reference.to_string(), "docker.io/library/app:latest");
    assert_eq!(
        (image.config.cmd.as_slice(), image.config.stop_signal.as_deref()),
        (["one".to_owned()].as_slice(), Some("SIGQUIT"))
    );
    let lower = &image.layers[0];
    let meta = |name: &str| lower.join(name).symlink_metadata().expect("metadata");
    assert_eq!(
        (
            meta("bin/one").uid(),
            meta("bin/one").gid(),
            meta("bin/one").nlink()
        ),
        (33, 44, 2)
    );
    assert_eq!(meta("bin/one").ino(), meta("bin/two").ino());
    assert_eq!(meta("tmp").mode() & 0o7777, 0o1777);
    assert!(meta("sbin").is_symlink());

    let registry = debian::start();
    let pushed = run(&["push", &first, &format!("http://{}", registry.address)]);
    assert_eq!(pushed.trim(), format!("library/app:latest@{}", image.digest));
    run(&[
        "push",
        &first,
        &format!("http://{}", registry.address),
        "--name",
        "team/app:v2",
    ]);
    let pulled = open(&temp.path().join("b"), Some(registry.address)).await;
    for name in ["app", "team/app:v2"] {
        let found = pulled.pull(name, Auth::Anonymous).await.expect("pull");
        assert_eq!(
            (&found.digest, &found.image_id, &found.config),
            (&image.digest, &image.image_id, &image.config)
        );
    }

    let away = tool(&["push", &first, "http://registry.example"]);
    assert!(!away.status.success() && String::from_utf8_lossy(&away.stderr).contains("on this machine"));
}
