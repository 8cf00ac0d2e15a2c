//! Tar archives written by hand, so that they can hold what no tool would write.

/// One member of a test layer.
pub(super) struct Member {
    pub(super) flag: u8,
    pub(super) path: String,
    pub(super) link: String,
    pub(super) mode: u32,
    pub(super) ids: (u64, u64),
    pub(super) data: Vec<u8>,
    pub(super) pax: Vec<(String, Vec<u8>)>,
}

pub(super) fn member(flag: u8, path: &str) -> Member {
    let (path, link, data, pax) = (path.to_owned(), String::new(), Vec::new(), Vec::new());
    Member {
        flag,
        path,
        link,
        mode: 0o644,
        ids: (0, 0),
        data,
        pax,
    }
}

pub(super) fn file(path: &str, data: &str) -> Member {
    Member {
        data: data.as_bytes().to_vec(),
        ..member(b'0', path)
    }
}

pub(super) fn dir(path: &str) -> Member {
    Member {
        mode: 0o755,
        ..member(b'5', path)
    }
}

pub(super) fn link(flag: u8, path: &str, target: &str) -> Member {
    Member {
        link: target.to_owned(),
        ..member(flag, path)
    }
}

pub(super) fn symlink(path: &str, target: &str) -> Member {
    link(b'2', path, target)
}

pub(super) fn hard(path: &str, target: &str) -> Member {
    link(b'1', path, target)
}

pub(super) fn pax(of: Member, key: &str, value: &[u8]) -> Member {
    let mut of = of;
    of.pax.push((key.to_owned(), value.to_vec()));
    of
}

pub(super) fn block(m: &Member, flag: u8, path: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.as_mut_bytes()[157..157 + m.link.len()].copy_from_slice(m.link.as_bytes());
    header.set_mode(m.mode);
    header.set_uid(m.ids.0);
    header.set_gid(m.ids.1);
    header.set_mtime(1_000_000_000);
    header.set_size(size);
    header.as_mut_bytes()[156] = flag;
    header.set_cksum();
    header.as_bytes().to_vec()
}

pub(super) fn padded(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
}

pub(super) fn layer(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for m in members {
        let mut records = Vec::new();
        for (key, value) in &m.pax {
            let rest = key.len() + value.len() + 3;
            let length = (1..8)
                .map(|digits| rest + digits)
                .find(|l| l.to_string().len() + rest == *l)
                .expect("fits");
            records.extend(format!("{length} {key}=").into_bytes());
            records.extend_from_slice(value);
            records.push(b'\n');
        }
        if !records.is_empty() {
            out.extend(block(m, b'x', "pax", records.len() as u64));
            padded(&mut out, &records);
        }
        out.extend(block(m, m.flag, &m.path, m.data.len() as u64));
        padded(&mut out, &m.data);
    }
    out.resize(out.len() + 1024, 0);
    out
}
