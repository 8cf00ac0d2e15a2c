//! Who a container runs as: names are looked up in the image's own files, read as data. The C library is
//! never asked, since it would answer for the host or load code from the image.

use std::io::Read;

use pathrs::flags::OpenFlags;

/// Larger files are cut: a real one has a few kilobytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A user as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
}

pub(super) fn resolve(inside: &pathrs::Root, user: Option<&str>, extra: &[String]) -> Result<User, String> {
    find(
        &read(inside, "/etc/passwd"),
        &read(inside, "/etc/group"),
        user.unwrap_or_default(),
        extra,
    )
}

/// An image without the file has no names, which is no error until one is asked for.
fn read(inside: &pathrs::Root, path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = inside.open_subpath(path, OpenFlags::O_RDONLY | OpenFlags::O_NONBLOCK)
        && file.metadata().is_ok_and(|meta| meta.is_file())
    {
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn find(passwd: &str, group: &str, asked: &str, extra: &[String]) -> Result<User, String> {
    let (name, group_name) = match asked.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (asked, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let number = name.parse::<u32>().ok();
    let entry = records(passwd, 6)
        .find(|fields| fields[0] == name)
        .or_else(|| records(passwd, 6).find(|fields| number.is_some() && fields[2].parse().ok() == number));
    let (uid, own_gid, known_as, home) = match (&entry, number) {
        (Some(fields), _) => {
            let id = |field: &str| {
                field
                    .parse::<u32>()
                    .map_err(|_| format!("user {name}: {field:?} in the image's passwd is no number"))
            };
            (id(fields[2])?, id(fields[3])?, Some(fields[0]), fields[5])
        }
        (None, Some(uid)) => (uid, 0, None, "/"),
        (None, None) => {
            return Err(format!(
                "unable to find user {name}: no matching entries in passwd file"
            ));
        }
    };
    let lookup = |name: &str| {
        records(group, 3)
            .find(|fields| fields[0] == name)
            .and_then(|fields| fields[2].parse().ok())
            .or_else(|| name.parse::<u32>().ok())
            .ok_or_else(|| format!("unable to find group {name}: no matching entries in group file"))
    };
    // Naming a group leaves behind those that the image's file would give.
    let (gid, mut groups) = match group_name.filter(|name| !name.is_empty()) {
        Some(name) => (lookup(name)?, Vec::new()),
        None => {
            let member = |fields: &Vec<&str>| {
                known_as.is_some_and(|user| {
                    fields
                        .get(3)
                        .is_some_and(|list| list.split(',').any(|m| m == user))
                })
            };
            let given = records(group, 3)
                .filter(member)
                .filter_map(|fields| fields[2].parse().ok());
            (own_gid, given.collect::<Vec<u32>>())
        }
    };
    for name in extra {
        groups.push(lookup(name)?);
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(User {
        uid,
        gid,
        groups,
        home: if home.is_empty() { "/".into() } else { home.into() },
    })
}

/// The colon-separated lines that have at least `fields` fields.
fn records(text: &str, fields: usize) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .map(|line| line.trim_end().split(':').collect::<Vec<_>>())
        .filter(move |record| record.len() >= fields && !record[0].is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# no entry\nweb:x:101:102::/srv/web:/bin/false\n\
         broken:x\n200:x:300:300::/odd:/bin/sh\nnohome:x:7:7:::\n";
    const GROUP: &str = "root:x:0:\nweb:x:102:\nstaff:x:50:other,web\naudio:x:29:web\nmail:x:8:root\n";

    fn check(asked: &str, extra: &[&str], expected: Result<(u32, u32, &[u32], &str), &str>) {
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        match (find(PASSWD, GROUP, asked, &extra), expected) {
            (Ok(user), Ok((uid, gid, groups, home))) => {
                assert_eq!(
                    (user.uid, user.gid, &user.groups[..], &*user.home),
                    (uid, gid, groups, home),
                    "{asked}"
                );
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{asked}: {message}"),
            (found, _) => panic!("{asked}: {found:?}"),
        }
    }

    #[test]
    fn users_and_groups_by_name_and_number() {
        check("", &[], Ok((0, 0, &[8], "/root")));
        check("web", &[], Ok((101, 102, &[29, 50], "/srv/web")));
        check("101", &[], Ok((101, 102, &[29, 50], "/srv/web")));
        check("web:mail", &[], Ok((101, 8, &[], "/srv/web")));
        check(
            "web:1234",
            &["staff", "77", "staff"],
            Ok((101, 1234, &[50, 77], "/srv/web")),
        );
        check("4000", &[], Ok((4000, 0, &[], "/")));
        check("4000:web", &[], Ok((4000, 102, &[], "/")));
        check(":web", &[], Ok((0, 102, &[], "/root")));
        check("nohome", &[], Ok((7, 7, &[], "/")));
        // A name made of digits is a name first.
        check("200", &[], Ok((300, 300, &[], "/odd")));
        check("nobody", &[], Err("unable to find user nobody"));
        check("web:none", &[], Err("unable to find group none"));
        check("web", &["none"], Err("unable to find group none"));
        check("-1", &[], Err("unable to find user"));
    }

    #[test]
    fn an_image_without_files_still_runs_numbers() {
        let user = find("", "", "1000:1000", &[]).expect("a user");
        assert_eq!(
            user,
            User {
                uid: 1000,
                gid: 1000,
                groups: vec![],
                home: "/".into()
            }
        );
        assert!(find("", "", "web", &[]).is_err());
    }
}
