//! A container runtime as the CNI specification describes one: reads a network configuration list, runs its
//! plugins in order with the previous result and what capabilities ask for, keeps the result, and gives it back to
//! CHECK, DEL and GC. Only for tests; it knows nothing of the plugins it runs.

#![allow(unreachable_pub)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use roadstead_net::netns::{self, Netns};
use serde_json::{Map, Value, json};

use crate::support::*;

/// Where the reference plugins are.
pub const REFERENCE: &str = "/usr/lib/cni";

/// What a plugin answered when it failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub plugin: String,
    pub code: u64,
    pub msg: String,
    pub version: String,
}

/// An attachment: its container and the interface's name.
pub type Whom = (&'static str, &'static str);

pub struct Runtime {
    pub directory: tempfile::TempDir,
    /// The namespace that plugins run in.
    pub node: String,
    pub task: String,
    /// Results by network, container and interface.
    cache: BTreeMap<(String, String, String), Value>,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for name in [&self.node, &self.task] {
            let _ = Netns::remove(name);
        }
    }
}

impl Runtime {
    pub fn new() -> Self {
        let id = instance();
        let (node, task) = (format!("rs-host-{id}"), format!("rs-cni-{id}"));
        let directory = tempfile::tempdir().unwrap();
        for name in ["ecs-eni", "ecs-bridge", "ecs-ipam"] {
            std::os::unix::fs::symlink(binary(), directory.path().join(name)).unwrap();
        }
        for name in [&node, &task] {
            Netns::create(name).unwrap();
            ip(name, "link set lo up");
        }
        Self {
            directory,
            node,
            task,
            cache: BTreeMap::new(),
        }
    }

    /// A device on the node, as an interface shows up there.
    pub fn plug_in(&self, mac: &str) {
        ip(
            &self.node,
            &format!("link add up0 address {mac} type veth peer name up1"),
        );
    }

    /// A plugin that keeps records keeps them here: container ids are the same in every test.
    pub fn with_data(&self, mut conf: Value) -> Value {
        if conf["type"] == "tuning" {
            let path = self.directory.path().join("tuning-data");
            std::fs::create_dir_all(&path).unwrap();
            conf["dataDir"] = json!(path);
        }
        conf
    }

    fn find(&self, plugin: &str) -> PathBuf {
        let paths = [self.directory.path(), Path::new(REFERENCE)];
        let found = paths
            .iter()
            .map(|path| path.join(plugin))
            .find(|path| path.exists());
        found.unwrap_or_else(|| panic!("{plugin}: apt-get install containernetworking-plugins"))
    }

    /// Runs one plugin. `environment` is the whole of it, but for the paths.
    pub fn exec(&self, plugin: &str, environment: &[(&str, &str)], stdin: &[u8]) -> Result<Value, Refusal> {
        let mut child = Command::new("nsenter")
            .arg(format!("--net={}", netns::path_of(&self.node).display()))
            .arg(self.find(plugin))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env(
                "CNI_PATH",
                format!("{}:{REFERENCE}", self.directory.path().display()),
            )
            .env("IPAM_DB_PATH", self.directory.path().join("leases.json"))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A plugin may refuse before it reads.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answer = match text.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|e| panic!("{plugin} answered {text:?}: {e}")),
        };
        if output.status.success() {
            return Ok(answer);
        }
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let refusal = Refusal {
            plugin: plugin.to_owned(),
            code: answer["code"]
                .as_u64()
                .unwrap_or_else(|| panic!("{plugin} failed with {answer}")),
            msg: text("msg"),
            version: text("cniVersion"),
        };
        assert!(!refusal.msg.is_empty(), "{answer}");
        Err(refusal)
    }

    fn plugin(
        &self,
        list: &Value,
        conf: &Value,
        command: &str,
        whom: Option<Whom>,
        more: Map<String, Value>,
        arguments: &Value,
    ) -> Result<Value, Refusal> {
        let mut conf = conf.as_object().unwrap().clone();
        let kind = conf["type"].as_str().unwrap().to_owned();
        conf.insert("cniVersion".into(), list["cniVersion"].clone());
        conf.insert("name".into(), list["name"].clone());
        if let Some(Value::Object(capabilities)) = conf.remove("capabilities") {
            let wanted = |name: &String| capabilities.get(name) == Some(&json!(true));
            let given: Map<String, Value> = arguments
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| wanted(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if !given.is_empty() {
                conf.insert("runtimeConfig".into(), given.into());
            }
        }
        conf.extend(more);
        let sandbox = netns::path_of(&self.task).display().to_string();
        let mut environment = vec![("CNI_COMMAND", command)];
        if let Some((container, ifname)) = whom {
            environment.extend([
                ("CNI_CONTAINERID", container),
                ("CNI_IFNAME", ifname),
                ("CNI_NETNS", &sandbox),
                ("CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAME=x"),
            ]);
        }
        self.exec(&kind, &environment, Value::Object(conf).to_string().as_bytes())
    }

    /// ADD of the list; `arguments` are what capabilities may be given. After a failure the runtime deletes.
    pub fn add(&mut self, list: &Value, whom: Whom, arguments: &Value) -> Result<Value, Refusal> {
        let mut result = Value::Null;
        for conf in list["plugins"].as_array().unwrap() {
            let mut more = Map::new();
            if result != Value::Null {
                more.insert("prevResult".into(), result.clone());
            }
            match self.plugin(list, conf, "ADD", Some(whom), more, arguments) {
                Ok(answer) => {
                    assert_eq!(answer["cniVersion"], list["cniVersion"], "{conf}: {answer}");
                    result = answer;
                }
                Err(refusal) => {
                    self.del(list, whom, arguments).unwrap();
                    return Err(refusal);
                }
            }
        }
        self.cache.insert(Self::key(list, whom), result.clone());
        Ok(result)
    }

    fn key(list: &Value, whom: Whom) -> (String, String, String) {
        let name = list["name"].as_str().unwrap().to_owned();
        (name, whom.0.to_owned(), whom.1.to_owned())
    }

    fn cached(&self, list: &Value, whom: Whom) -> Map<String, Value> {
        let since = list["cniVersion"].as_str().unwrap() >= "0.4.0";
        let cached = self.cache.get(&Self::key(list, whom)).filter(|_| since);
        cached
            .map(|result| ("prevResult".to_owned(), result.clone()))
            .into_iter()
            .collect()
    }

    /// CHECK, unless the list says not to.
    pub fn check(&self, list: &Value, whom: Whom, arguments: &Value) -> Result<(), Refusal> {
        if list["disableCheck"] == true {
            return Ok(());
        }
        for conf in list["plugins"].as_array().unwrap() {
            self.plugin(
                list,
                conf,
                "CHECK",
                Some(whom),
                self.cached(list, whom),
                arguments,
            )?;
        }
        Ok(())
    }

    pub fn del(&mut self, list: &Value, whom: Whom, arguments: &Value) -> Result<(), Refusal> {
        for conf in list["plugins"].as_array().unwrap().iter().rev() {
            let answer = self.plugin(list, conf, "DEL", Some(whom), self.cached(list, whom), arguments)?;
            assert_eq!(answer, Value::Null, "DEL answers nothing");
        }
        self.cache.remove(&Self::key(list, whom));
        Ok(())
    }

    /// GC: attachments that are not in `valid` are deleted, then each plugin is told what is left.
    pub fn gc(&mut self, list: &Value, valid: &[Whom]) -> Result<(), Refusal> {
        let stale: Vec<_> = self
            .cache
            .keys()
            .filter(|(network, container, ifname)| {
                list["name"] == **network && !valid.iter().any(|(c, i)| c == container && i == ifname)
            })
            .cloned()
            .collect();
        for (_, container, ifname) in stale {
            let whom = (&*container.leak(), &*ifname.leak());
            self.del(list, whom, &Value::Null)?;
        }
        let valid: Vec<Value> = valid
            .iter()
            .map(|(container, ifname)| json!({"containerID": container, "ifname": ifname}))
            .collect();
        let more = Map::from_iter([("cni.dev/valid-attachments".to_owned(), Value::Array(valid))]);
        for conf in list["plugins"].as_array().unwrap() {
            self.plugin(list, conf, "GC", None, more.clone(), &Value::Null)?;
        }
        Ok(())
    }

    pub fn status(&self, list: &Value) -> Result<(), Refusal> {
        for conf in list["plugins"].as_array().unwrap() {
            self.plugin(list, conf, "STATUS", None, Map::new(), &Value::Null)?;
        }
        Ok(())
    }

    /// The first plugin's ADD once more, without the DEL that a runtime owes.
    pub fn exec_add_again(&self, list: &Value, whom: Whom) -> Result<Value, Refusal> {
        self.plugin(
            list,
            &list["plugins"][0],
            "ADD",
            Some(whom),
            Map::new(),
            &Value::Null,
        )
    }

    /// Starts a plugin and kills it after a while.
    pub fn exec_and_kill(
        &self,
        conf: &Value,
        command: &str,
        (container, ifname): Whom,
        after: std::time::Duration,
    ) {
        let mut child = Command::new("nsenter")
            .arg(format!("--net={}", netns::path_of(&self.node).display()))
            .arg(self.find(conf["type"].as_str().unwrap()))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("IPAM_DB_PATH", self.directory.path().join("leases.json"))
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", container)
            .env("CNI_IFNAME", ifname)
            .env("CNI_NETNS", netns::path_of(&self.task))
            .env("CNI_PATH", self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(conf.to_string().as_bytes()).unwrap();
        drop(stdin);
        std::thread::park_timeout(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Forgets what was answered, as a runtime whose cache is lost.
    pub fn forget(&mut self) {
        self.cache.clear();
    }
}
