//! The availability zones of a region, which no store has to hold: they follow from the region's name.

use roadstead_base::Region;

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// `us-east-1a`
    pub(crate) name: String,
    /// `use1-az1`
    pub(crate) id: String,
}

/// The zones of a region in order; `count` is at most 26.
pub(crate) fn zones(region: &Region, count: u8) -> Vec<Zone> {
    let short = short_name(region.as_str());
    ('a'..='z')
        .take(usize::from(count))
        .enumerate()
        .map(|(index, letter)| Zone {
            name: format!("{region}{letter}"),
            id: format!("{short}-az{}", index + 1),
        })
        .collect()
}

/// `us-east-1` is `use1`, `ap-southeast-2` is `apse2`; words that are no point of the compass stay whole.
fn short_name(region: &str) -> String {
    region
        .split('-')
        .map(|word| match word {
            "north" => "n",
            "south" => "s",
            "east" => "e",
            "west" => "w",
            "central" => "c",
            "northeast" => "ne",
            "northwest" => "nw",
            "southeast" => "se",
            "southwest" => "sw",
            "gov" => "g",
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_are_those_of_the_cloud() {
        let check = |region: &str, first: &str| {
            let region: Region = region.parse().expect("a region");
            let zones = zones(&region, 3);
            assert_eq!(zones.len(), 3);
            assert_eq!(zones[0].name, format!("{region}a"));
            assert_eq!(zones[2].name, format!("{region}c"));
            assert_eq!(zones[0].id, first);
        };
        check("us-east-1", "use1-az1");
        check("ap-southeast-2", "apse2-az1");
        check("eu-central-1", "euc1-az1");
        check("us-gov-west-1", "usgw1-az1");
        check("local", "local-az1");
        check("edge-7", "edge7-az1");
    }
}
