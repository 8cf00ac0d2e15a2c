//! Names of the model in Rust's clothes.

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "final", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut",
    "override", "priv", "pub", "ref", "return", "static", "struct", "super", "trait", "true", "type",
    "unsafe", "use", "virtual", "where", "while", "yield",
];

/// `containerInstanceArn` → `container_instance_arn`, `IPv6Address` → `ipv6_address`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name
        .replace("IPv", "Ipv")
        .replace(['-', '.', ':', '/', ' '], "_")
        .chars()
        .collect();
    let mut out = String::new();
    for (index, c) in chars.iter().enumerate() {
        if c.is_ascii_uppercase() && index > 0 && chars[index - 1] != '_' {
            let after_lower = !chars[index - 1].is_ascii_uppercase();
            let before_lower = chars.get(index + 1).is_some_and(char::is_ascii_lowercase);
            if after_lower || before_lower {
                out.push('_');
            }
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

pub(crate) fn field(name: &str) -> String {
    let name = snake(name);
    if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}

/// `ecs.os-type` → `EcsOsType`, `FARGATE_SPOT` → `FargateSpot`, `4xlarge` → `V4xlarge`.
pub(crate) fn variant(text: &str) -> String {
    let mut out = String::new();
    for word in snake(text)
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        out.push_str(&word[..1].to_ascii_uppercase());
        out.push_str(&word[1..]);
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) || out.is_empty() || out == "Self" {
        out.insert(0, 'V');
    }
    out
}

pub(crate) fn type_name(shape: &str) -> String {
    let (first, rest) = shape.trim_start_matches('_').split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rust() {
        for (from, to) in [
            ("containerInstanceArn", "container_instance_arn"),
            ("IPv6Address", "ipv6_address"),
            ("Ipv6Ranges", "ipv6_ranges"),
            ("VpcId", "vpc_id"),
            ("pidMode", "pid_mode"),
            ("type", "r#type"),
            ("CIDRBlock", "cidr_block"),
        ] {
            assert_eq!(field(from), to);
        }
        for (from, to) in [
            ("EC2", "Ec2"),
            ("json-file", "JsonFile"),
            ("FARGATE_SPOT", "FargateSpot"),
            ("X86_64", "X8664"),
            ("4x", "V4x"),
        ] {
            assert_eq!(variant(from), to);
        }
    }
}
