//! Images of shell scripts: the files of the runtime `provided` in one layer, the script and a file in another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use roadstead_functions::{Image, Package, Sandboxes as _, Spec};
use roadstead_image::{Digest, Images, Platform};
use serde_json::{Value, json};

use super::{Bench, PRELUDE, runtimes};

/// What images say of themselves unless a test says otherwise.
pub(crate) fn config() -> Value {
    json!({
        "Entrypoint": ["/app/bootstrap"], "Cmd": ["one", "two"], "WorkingDir": "/app/not-there", "User": "0:0",
        "Env": ["OWN=image", "MINE=image", "AWS_REGION=nowhere", "nonsense"], "Volumes": {"/data": {}},
    })
}

fn archive(folder: &Path) -> Vec<u8> {
    let words = ["--owner=0", "--group=0", "--numeric-owner", "-cf", "-", "."];
    let done = Command::new("tar")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output()
        .expect("tar");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn tools() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| archive(&runtimes().join("provided/root")))
}

impl Bench {
    /// Imports an image whose bootstrap is this script, after the prelude.
    pub(crate) async fn import(&self, name: &str, script: &str, config: Value) {
        let imported = self.import_as(&[name], script, config).await;
        imported.expect("imported");
    }

    /// One image by several names.
    pub(crate) async fn import_as(
        &self,
        names: &[&str],
        script: &str,
        config: Value,
    ) -> Result<(), roadstead_image::Error> {
        let part = self
            .dir
            .path()
            .join(format!("image-{}", roadstead_base::random_hex(8)));
        let app = part.join("root/app");
        fs::create_dir_all(&app).expect("a folder");
        fs::write(app.join("bootstrap"), format!("{PRELUDE}{script}")).expect("a file");
        fs::set_permissions(app.join("bootstrap"), fs::Permissions::from_mode(0o755)).expect("executable");
        let layers = [tools().to_vec(), archive(&part.join("root"))];
        let platform = Platform::host();
        let document = json!({
            "architecture": platform.architecture, "os": platform.os, "config": config,
            "rootfs": {"type": "layers", "diff_ids": layers.each_ref().map(|tar| Digest::of(tar))},
        });
        let archived = part.join("archive");
        fs::create_dir(&archived).expect("a folder");
        let manifest = json!([{"Config": "config.json", "RepoTags": names, "Layers": ["0.tar", "1.tar"]}]);
        for (file, content) in [
            ("config.json", document.to_string().into_bytes()),
            ("manifest.json", manifest.to_string().into_bytes()),
            ("0.tar", layers[0].clone()),
            ("1.tar", layers[1].clone()),
        ] {
            fs::write(archived.join(file), content).expect("a file");
        }
        let whole = part.join("image.tar");
        fs::write(&whole, archive(&archived)).expect("a file");
        let imported = self.images().import(&whole, None).await;
        fs::remove_dir_all(&part).expect("removed");
        imported.map(drop)
    }

    /// A function of what the reference leads to now.
    pub(crate) async fn image_function(&self, name: &str, uri: &str) -> Spec {
        let found = self.node.image(uri).await.expect("an image");
        assert!(found.size > 0 && found.has_command, "{found:?}");
        let mut spec = self.function(name, "");
        spec.package = Package::Image(Image {
            name: found.name,
            entry_point: Vec::new(),
            command: Vec::new(),
            working_directory: None,
        });
        spec
    }

    pub(crate) fn images(&self) -> &Images {
        self.options.supply.images()
    }

    /// Who holds images, sorted.
    pub(crate) fn holders(&self) -> Vec<String> {
        let pins = self.images().pins().expect("pins");
        let mut owners: Vec<String> = pins.into_iter().map(|pin| pin.owner).collect();
        owners.sort();
        owners
    }
}
