//! One binary is every plugin: a runtime starts it under a plugin's name. This is that entry: it reads
//! the environment and standard input as the specification says and writes a result or an error.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Attachment, CniResult, Error, VERSIONS, bridge, code, eni, ipam, previous};
use crate::netlink::Netlink;
use crate::netns::Netns;

/// Bytes of a configuration.
const CONFIGURATION: u64 = 1 << 20;

/// Acts as a CNI plugin and ends the process if it was started under the name of one. Call it first in
/// `main`, before any thread is made.
pub fn cni_main_if_asked() {
    let mut arguments = std::env::args_os();
    let name = arguments.next().map(PathBuf::from);
    let name = name
        .as_deref()
        .and_then(Path::file_name)
        .and_then(|n| n.to_str())
        .map(str::to_owned);
    let Some(plugin) = name.as_deref().and_then(Plugin::named) else {
        return;
    };
    let option = arguments.next();
    std::process::exit(match option.as_deref().and_then(|o| o.to_str()) {
        None => run(plugin),
        // What the vendor's agent asks of a plugin before it trusts it.
        Some("--capabilities") => say(&json!({ "capabilities": ["awsvpc-network-mode"] }), 0),
        Some("--version") => say(&json!({ "version": env!("CARGO_PKG_VERSION") }), 0),
        Some(other) => {
            let msg = format!("option {other:?}: only --capabilities and --version are known");
            fail("1.0.0", &Error::new(code::INVALID_ENVIRONMENT, msg))
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plugin {
    Eni,
    Bridge,
    Ipam,
}

impl Plugin {
    fn named(name: &str) -> Option<Self> {
        match name {
            "ecs-eni" => Some(Plugin::Eni),
            "ecs-bridge" => Some(Plugin::Bridge),
            "ecs-ipam" => Some(Plugin::Ipam),
            _ => None,
        }
    }
}

fn run(plugin: Plugin) -> i32 {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(CONFIGURATION).read_to_end(&mut text);
    // Errors are told in the caller's version where there is one.
    let version = serde_json::from_slice::<Value>(&text).ok();
    let version = version
        .as_ref()
        .and_then(|v| v.get("cniVersion"))
        .and_then(Value::as_str)
        .unwrap_or("1.0.0");
    let done = match read {
        Ok(_) => call(plugin, &text, version),
        Err(e) => Err(Error::new(
            code::IO_FAILURE,
            format!("reading the configuration: {e}"),
        )),
    };
    match done {
        Ok(Some(answer)) => say(&answer, 0),
        Ok(None) => 0,
        Err(error) => fail(version, &error),
    }
}

fn say(answer: &Value, status: i32) -> i32 {
    println!("{answer}");
    status
}

fn fail(version: &str, error: &Error) -> i32 {
    let mut answer = json!({ "cniVersion": version, "code": error.code, "msg": error.msg });
    if !error.details.is_empty() {
        answer["details"] = error.details.clone().into();
    }
    say(&answer, 1)
}

fn call(plugin: Plugin, text: &[u8], version: &str) -> Result<Option<Value>, Error> {
    let command = variable("CNI_COMMAND")?;
    if command == "VERSION" {
        serde_json::from_slice::<serde_json::Map<String, Value>>(text).map_err(super::conf::undecodable)?;
        return Ok(Some(
            json!({ "cniVersion": version, "supportedVersions": VERSIONS }),
        ));
    }
    let modern = |since: &str| -> Result<(), Error> {
        let position = |v: &str| VERSIONS.iter().position(|known| *known == v);
        if position(version) >= position(since) {
            return Ok(());
        }
        let msg = format!("{command} came with version {since}; the configuration says {version}");
        Err(Error::new(code::INCOMPATIBLE_VERSION, msg))
    };
    match command.as_str() {
        "ADD" => needs(&["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"])?,
        "DEL" => needs(&["CNI_CONTAINERID", "CNI_IFNAME"])?,
        "CHECK" => {
            modern("0.4.0")?;
            needs(&["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"])?;
        }
        "GC" | "STATUS" => modern("1.1.0")?,
        other => {
            let msg = format!("CNI_COMMAND {other:?} is not ADD, DEL, CHECK, GC, STATUS or VERSION");
            return Err(Error::new(code::INVALID_ENVIRONMENT, msg));
        }
    }
    if matches!(command.as_str(), "ADD" | "DEL" | "CHECK") {
        attachment()?;
    }
    match plugin {
        Plugin::Eni => call_eni(&command, text),
        Plugin::Bridge => call_bridge(&command, text),
        Plugin::Ipam => call_ipam(&command, text),
    }
}

fn call_eni(command: &str, text: &[u8]) -> Result<Option<Value>, Error> {
    if matches!(command, "GC" | "STATUS") {
        // Nothing is kept between calls. A task is served when the kernel lets its devices be seen.
        super::conf::read::<serde_json::Map<String, Value>>(text)?;
        let seen = Netns::current().and_then(|node| Netlink::open(&node)?.links());
        return seen.map(|_| None).map_err(unavailable);
    }
    let (common, conf) = eni::Conf::parse(text)?;
    let who = attachment()?;
    match command {
        "ADD" => {
            let (task, sandbox) = sandbox()?;
            let node = Netns::current()?;
            let mut outside = Netlink::open(&node)?;
            let mut inside = Netlink::open(&task)?;
            must_be_free(&mut inside, &who)?;
            let mut node = eni::Side {
                namespace: &node,
                netlink: &mut outside,
            };
            let mut task = eni::Side {
                namespace: &task,
                netlink: &mut inside,
            };
            let result = eni::add(&mut node, &mut task, &sandbox, &who, &conf)?;
            Ok(answer(&common, &result))
        }
        "CHECK" => {
            let (task, _) = sandbox()?;
            let known = previous::of(common.prev_result.as_ref(), &who)?;
            known.check(&mut Netlink::open(&task)?, &who)?;
            // A later plugin may have given it another.
            let mac = known.mac.unwrap_or(conf.mac);
            eni::check(&task, &who, &eni::Conf { mac, ..conf }).map(|()| None)
        }
        _ => eni::del(&Netns::current()?, sandbox_if_there()?.as_ref(), &conf).map(|()| None),
    }
}

fn call_bridge(command: &str, text: &[u8]) -> Result<Option<Value>, Error> {
    let (common, conf) = bridge::Conf::parse(text)?;
    if command == "STATUS" {
        let ready = side(&conf).and_then(|side| side.store.update(|_| Ok(())));
        return ready.map(|()| None).map_err(unavailable);
    }
    let mut side = side(&conf)?;
    match command {
        "GC" => {
            let valid = common.valid_attachments.ok_or_else(|| {
                Error::config(
                    "cni.dev/valid-attachments is missing: without it nothing is known to be garbage",
                )
            })?;
            bridge::collect_garbage(&mut side, &conf.bridge, &valid).map(|()| None)
        }
        "ADD" => {
            require_id(&conf.ipam)?;
            let (task, sandbox) = sandbox()?;
            let who = attachment()?;
            let mut inside = Netlink::open(&task)?;
            must_be_free(&mut inside, &who)?;
            let mut task = eni::Side {
                namespace: &task,
                netlink: &mut inside,
            };
            let result = bridge::add(&mut side, &mut task, &sandbox, &who, &conf)?;
            Ok(answer(&common, &result))
        }
        "CHECK" => {
            let ((task, _), who) = (sandbox()?, attachment()?);
            let known = previous::of(common.prev_result.as_ref(), &who)?;
            known.check(&mut Netlink::open(&task)?, &who)?;
            bridge::check(&mut side, &task, &who, &conf).map(|()| None)
        }
        _ => bridge::del(&mut side, &attachment()?, &conf).map(|()| None),
    }
}

fn side(conf: &bridge::Conf) -> Result<bridge::Side, Error> {
    let namespace = match &conf.bridge_netns {
        Some(path) => Netns::at(path).map_err(|e| Error::config(format!("bridge-netns: {e}")))?,
        None => Netns::current()?,
    };
    bridge::Side::open(namespace, ipam::Store::from_environment()?)
}

#[derive(serde::Deserialize)]
struct IpamMembers {
    ipam: ipam::Conf,
    // A caller passes the whole of its own configuration to the allocator it delegates to.
    #[serde(flatten)]
    _delegating: serde_json::Map<String, Value>,
}

fn call_ipam(command: &str, text: &[u8]) -> Result<Option<Value>, Error> {
    let (common, IpamMembers { ipam: conf, .. }) = super::conf::read::<IpamMembers>(text)?;
    conf.check()?;
    let store = ipam::Store::from_environment()?;
    match command {
        "ADD" => {
            require_id(&conf)?;
            let ip = store.update(|leases| leases.allocate(&conf.id, &conf))?;
            Ok(answer(
                &super::Common {
                    prev_result: None,
                    ..common
                },
                &conf.result(ip),
            ))
        }
        "CHECK" => match store.update(|leases| Ok(leases.of(&conf.id)))? {
            Some(_) => Ok(None),
            None => Err(Error::new(
                code::DIFFERENT,
                format!("no address is given to {}", conf.id),
            )),
        },
        "DEL" => store.update(|leases| Ok(leases.release(&conf.id))).map(|_| None),
        "STATUS" => store.update(|_| Ok(())).map(|()| None).map_err(unavailable),
        // Leases are known by interface, attachments by container: the bridge, which knows both, collects.
        _ => store.update(|_| Ok(())).map(|()| None),
    }
}

fn require_id(conf: &ipam::Conf) -> Result<(), Error> {
    if conf.id.is_empty() {
        return Err(Error::config("ipam.id is missing: the address needs an owner"));
    }
    Ok(())
}

/// STATUS says that ADD would fail, and why.
fn unavailable(error: impl Into<Error>) -> Error {
    Error {
        code: code::NOT_AVAILABLE,
        ..error.into()
    }
}

/// # Errors
/// [`code::EXISTS`]: an interface of that name is another's, or the task is connected already.
fn must_be_free(inside: &mut Netlink, who: &Attachment) -> Result<(), Error> {
    match inside.link(&who.ifname)? {
        Some(_) => Err(Error::new(
            code::EXISTS,
            format!("the task has an interface {} already", who.ifname),
        )),
        None => Ok(()),
    }
}

fn answer(common: &super::Common, result: &CniResult) -> Option<Value> {
    Some(result.to_json(&common.cni_version, common.prev_result.as_ref()))
}

/// # Errors
/// Code 4 with every variable that is missing.
fn needs(names: &[&str]) -> Result<(), Error> {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| variable(name).is_err())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let msg = format!("missing in the environment: {}", missing.join(", "));
    Err(Error::new(code::INVALID_ENVIRONMENT, msg))
}

fn variable(name: &str) -> Result<String, Error> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(Error::new(
            code::INVALID_ENVIRONMENT,
            format!("the environment variable {name} is missing"),
        )),
    }
}

fn attachment() -> Result<Attachment, Error> {
    Attachment::new(&variable("CNI_CONTAINERID")?, &variable("CNI_IFNAME")?)
}

fn sandbox() -> Result<(Netns, PathBuf), Error> {
    let path = PathBuf::from(variable("CNI_NETNS")?);
    match Netns::at(&path) {
        Ok(namespace) if namespace.is_same(&Netns::current()?) => {
            let msg = format!("CNI_NETNS {} is the node's own namespace", path.display());
            Err(Error::new(code::INVALID_ENVIRONMENT, msg))
        }
        Ok(namespace) => Ok((namespace, path)),
        Err(e) => Err(Error::new(code::UNKNOWN_CONTAINER, e.to_string())),
    }
}

/// DEL works without a namespace, and with one that is gone.
fn sandbox_if_there() -> Result<Option<Netns>, Error> {
    match std::env::var_os("CNI_NETNS").filter(|path| !path.is_empty()) {
        Some(path) => Ok(crate::netns::at_if_there(Path::new(&path))?),
        None => Ok(None),
    }
}
