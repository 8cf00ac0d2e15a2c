//! The capabilities of a container: the default set, changed as the task definition says.

use std::str::FromStr;

use caps::{Capability, CapsHashSet};

use crate::spec::{Capabilities, ContainerSpec};

/// What a container's root user may do unless told otherwise: Docker's set.
const DEFAULT: [Capability; 14] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];

/// What the container's programs may do.
pub(crate) fn of(spec: &ContainerSpec) -> Result<CapsHashSet, String> {
    if spec.privileged {
        Ok(caps::all().into_iter().collect())
    } else {
        resolve(&spec.capabilities)
    }
}

/// The set that results. `ALL` is everything; a capability both added and dropped is added, save that
/// dropping one by name outweighs adding `ALL`.
pub(crate) fn resolve(changes: &Capabilities) -> Result<CapsHashSet, String> {
    let (add_all, add) = parse(&changes.add)?;
    let (drop_all, drop) = parse(&changes.drop)?;
    let mut set: CapsHashSet = match (add_all, drop_all) {
        (true, _) => caps::all().into_iter().collect(),
        (false, true) => CapsHashSet::new(),
        (false, false) => DEFAULT.into_iter().collect(),
    };
    set.retain(|cap| !drop.contains(cap));
    set.extend(add);
    Ok(set)
}

fn parse(names: &[String]) -> Result<(bool, CapsHashSet), String> {
    let mut all = false;
    let mut set = CapsHashSet::new();
    for name in names {
        if name.eq_ignore_ascii_case("ALL") {
            all = true;
            continue;
        }
        let upper = name.to_ascii_uppercase();
        let full = if upper.starts_with("CAP_") {
            upper
        } else {
            format!("CAP_{upper}")
        };
        set.insert(Capability::from_str(&full).map_err(|_| format!("{name:?} is not a capability"))?);
    }
    Ok((all, set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], expected: Result<usize, ()>) {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let found = resolve(&Capabilities {
            add: list(add),
            drop: list(drop),
        });
        assert_eq!(
            found.map(|set| set.len()).map_err(drop_message),
            expected,
            "+{add:?} -{drop:?}"
        );
    }

    fn drop_message(_: String) {}

    #[test]
    fn changes_apply_to_the_default_set() {
        let all = caps::all().len();
        check(&[], &[], Ok(14));
        check(&["NET_ADMIN"], &["chown", "CAP_KILL"], Ok(13));
        check(&["CHOWN"], &["CHOWN"], Ok(14));
        check(&[], &["ALL"], Ok(0));
        check(&["NET_RAW"], &["all"], Ok(1));
        check(&["ALL"], &[], Ok(all));
        check(&["ALL"], &["SYS_ADMIN"], Ok(all - 1));
        check(&["NOT_A_THING"], &[], Err(()));
    }
}
