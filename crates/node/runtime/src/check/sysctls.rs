//! Which kernel parameters belong to a container: those of a namespace that is its own. The others would change
//! the machine, or another container.

use crate::spec::{ContainerSpec, Net, Share};

/// Parameters of the IPC namespace. Source: namespaces(7) and ipc_namespaces(7).
const IPC: [&str; 9] = [
    "kernel.auto_msgmni",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

pub(super) fn check(spec: &ContainerSpec) -> Result<(), String> {
    for (name, value) in &spec.sysctls {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        if name.is_empty() || !name.chars().all(plain) || name.split(['.', '/']).any(str::is_empty) {
            return Err(format!("{name:?} is not a kernel parameter"));
        }
        if value.contains(['\0', '\n']) {
            return Err(format!("{name}: the value is more than one line"));
        }
        let dotted = name.replace('/', ".");
        let own = if dotted.starts_with("net.") {
            Owner {
                whose: "network",
                own: matches!(spec.network, Net::New),
                of_host: matches!(spec.network, Net::Host),
            }
        } else if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
            owner("IPC namespace", &spec.ipc)
        } else if dotted == "kernel.domainname" {
            owner("UTS namespace", &spec.uts)
        } else {
            return Err(format!(
                "{name} is the machine's, not the container's: only net.*, fs.mqueue.*, kernel.msg*, \
                 kernel.sem, kernel.shm* and kernel.domainname can be set"
            ));
        };
        match own {
            Owner { own: true, .. } => {}
            Owner {
                whose, of_host: true, ..
            } => {
                return Err(format!(
                    "{name} is the machine's: the container uses the host's {whose}"
                ));
            }
            Owner { whose, .. } => {
                return Err(format!("{name} belongs to the container whose {whose} is shared"));
            }
        }
    }
    Ok(())
}

struct Owner {
    whose: &'static str,
    own: bool,
    of_host: bool,
}

fn owner(whose: &'static str, share: &Share) -> Owner {
    Owner {
        whose,
        own: *share == Share::New,
        of_host: *share == Share::Host,
    }
}
