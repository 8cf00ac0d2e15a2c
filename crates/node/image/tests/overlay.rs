//! The last word on whiteouts and opaque directories is the kernel's: layers are mounted as a container's root
//! would be, in a mount namespace of their own. Needs root.

mod common;

use std::process::Command;

use common::*;

#[tokio::test]
async fn overlayfs_shows_what_the_layers_say() {
    let root = tempfile::tempdir().expect("tempdir");
    let base = layer(&[
        ("etc/", ""),
        ("etc/keep", "base"),
        ("etc/gone", "base"),
        ("etc/changed", "base"),
        ("opaque/", ""),
        ("opaque/old", "base"),
        ("dir/", ""),
        ("dir/old", "base"),
        ("becomes-file/", ""),
        ("becomes-file/x", "base"),
        ("becomes-dir", "base"),
        ("again/", ""),
        ("again/old", "base"),
    ]);
    let middle = layer(&[
        ("etc/", ""),
        ("etc/.wh.gone", ""),
        ("etc/changed", "middle"),
        ("opaque/", ""),
        ("opaque/.wh..wh..opq", ""),
        ("opaque/new", "middle"),
        (".wh.dir", ""),
        (".wh.becomes-file", ""),
        ("becomes-file", "middle"),
        (".wh.becomes-dir", ""),
        ("becomes-dir/", ""),
        ("becomes-dir/x", "middle"),
        (".wh.again", ""),
        ("again/", ""),
        ("again/new", "middle"),
    ]);
    let top = layer(&[
        ("etc/", ""),
        ("etc/link", "->keep"),
        // Comes back after the layer below removed it.
        ("dir/", ""),
        ("dir/new", "top"),
    ]);
    write_layout(
        &root.path().join("layout"),
        &[("app:1", &TestImage::new(&[base, middle, top]))],
    );
    let images = open(root.path(), None).await;
    let image = images
        .import(&root.path().join("layout"), None)
        .await
        .expect("import")
        .remove(0);
    let lowers: Vec<String> = image
        .layers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let script = "set -e; cd \"$1\"; mkdir upper work merged
        mount -t overlay overlay -o \"lowerdir=$2,upperdir=upper,workdir=work\" merged
        cd merged; find . -type f -o -type l | sort | while read f; do echo \"$f $(cat $f)\"; done";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(root.path())
        .arg(lowers.join(":"))
        .output()
        .expect("unshare");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen = String::from_utf8(output.stdout).expect("utf-8");
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        [
            "./again/new middle",
            "./becomes-dir/x middle",
            "./becomes-file middle",
            "./dir/new top",
            "./etc/changed middle",
            "./etc/keep base",
            "./etc/link base",
            "./opaque/new middle",
        ]
    );
}

#[tokio::test]
async fn as_many_layers_as_allowed_can_be_mounted() {
    let root = tempfile::tempdir().expect("tempdir");
    let layers: Vec<Vec<u8>> = (0..127).map(|n| layer(&[(&format!("f{n}"), "")])).collect();
    write_layout(
        &root.path().join("layout"),
        &[("app:1", &TestImage::new(&layers))],
    );
    let images = open(root.path(), None).await;
    let image = images
        .import(&root.path().join("layout"), None)
        .await
        .expect("import")
        .remove(0);
    assert_eq!(image.layers.len(), 127);
    // Relative to the folder of layers they fit into the page that mount(2) has for options.
    let folder = images.root().join("layers");
    let relative: Vec<String> = image
        .layers
        .iter()
        .map(|path| path.strip_prefix(&folder).expect("below").display().to_string())
        .collect();
    assert!(relative.join(":").len() < 4000);
}
