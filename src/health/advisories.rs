//! What is known about server versions: ends of support and vulnerabilities, from the dated data
//! file beside this one. Read by the rules `version.*`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::{Vendor, Version};

/// The data file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisories {
    /// Up to when it is complete, `YYYY-MM-DD`.
    pub date: String,
    /// Where its facts are from.
    #[allow(dead_code, reason = "for the reader of the file")]
    pub sources: Vec<String>,
    branches: BTreeMap<Vendor, BTreeMap<String, Branch>>,
    advisories: Vec<Advisory>,
}

/// The life of a branch such as 7.2.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The day on which security fixes end, `YYYY-MM-DD`; `None` while no day is set.
    pub end_of_life: Option<String>,
    /// The newest version of the branch.
    pub latest: String,
}

/// One vulnerability, or several that were mended together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisory {
    /// CVE numbers.
    pub ids: Vec<String>,
    /// What can be done with it.
    pub what: String,
    /// Who can do it.
    pub reach: Reach,
    /// Whether it runs code, for those that need no login.
    #[serde(default)]
    pub runs_code: bool,
    /// A condition.
    pub needs: Option<Needs>,
    #[serde(default)]
    redis: Vec<String>,
    #[serde(default)]
    valkey: Vec<String>,
    since_redis: Option<String>,
    since_valkey: Option<String>,
}

/// Who can use a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Whoever reaches the port.
    Anyone,
    /// Whoever is logged in.
    User,
    /// Whoever reaches the bus port.
    Bus,
    /// Whoever is on the machine.
    Local,
}

/// What must be configured for a vulnerability to matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Needs {
    /// TLS.
    Tls,
}

/// How a version stands to a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not affected, or mended.
    Sound,
    /// Affected; mended in that version of its branch.
    MendedIn(Version),
    /// Affected, and its branch never got a fix.
    Unmended,
}

impl Advisories {
    /// The file that goodcache is built with.
    pub fn shipped() -> Advisories {
        // A test reads the file, so an empty answer never ships.
        serde_yaml::from_str(include_str!("advisories.yaml")).unwrap_or_default()
    }

    /// The life of that version's branch.
    pub fn branch(&self, vendor: Vendor, version: Version) -> Option<&Branch> {
        let name = format!("{}.{}", version.0, version.1);
        self.branches.get(&vendor)?.get(&name)
    }

    /// What that version suffers from.
    pub fn of(&self, vendor: Vendor, version: Version) -> Vec<(&Advisory, Standing)> {
        self.advisories
            .iter()
            .map(|advisory| (advisory, advisory.standing(vendor, version)))
            .filter(|(_, standing)| *standing != Standing::Sound)
            .collect()
    }
}

impl Advisory {
    /// Compares within the branch: 7.2.5 may lack what 6.2.20 has.
    pub fn standing(&self, vendor: Vendor, version: Version) -> Standing {
        let (fixed, since) = match vendor {
            Vendor::Redis => (&self.redis, &self.since_redis),
            Vendor::Valkey => (&self.valkey, &self.since_valkey),
        };
        let fixed: Vec<Version> = fixed.iter().filter_map(|text| text.parse().ok()).collect();
        let since: Option<Version> = since.as_ref().and_then(|text| text.parse().ok());
        let Some(newest) = fixed.iter().max() else {
            return Standing::Sound;
        };
        if since.is_some_and(|since| version < since) {
            return Standing::Sound;
        }
        let branch = |version: &Version| (version.0, version.1);
        match fixed.iter().find(|fix| branch(fix) == branch(&version)) {
            Some(fix) if version < *fix => Standing::MendedIn(*fix),
            Some(_) => Standing::Sound,
            None if version > *newest => Standing::Sound,
            None => Standing::Unmended,
        }
    }
}

/// Days since 1970 of a `YYYY-MM-DD`.
pub fn day(date: &str) -> Option<i64> {
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // Years are counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_whole() {
        let file: Advisories = serde_yaml::from_str(include_str!("advisories.yaml")).unwrap();
        assert!(day(&file.date).is_some() && !file.sources.is_empty());
        for advisory in &file.advisories {
            assert!(advisory.ids.iter().all(|id| id.starts_with("CVE-")));
            let versions = advisory.redis.iter().chain(&advisory.valkey);
            let versions = versions
                .chain(&advisory.since_redis)
                .chain(&advisory.since_valkey);
            for version in versions {
                assert!(version.parse::<Version>().is_ok(), "{version}");
            }
            assert!(!advisory.redis.is_empty() || !advisory.valkey.is_empty());
        }
        for branch in file.branches.values().flat_map(BTreeMap::values) {
            assert!(branch.latest.parse::<Version>().is_ok());
            let end = branch.end_of_life.as_ref();
            assert!(end.is_none_or(|end| day(end).is_some()), "{end:?}");
        }
    }

    #[test]
    fn versions_are_compared_within_their_branch() {
        let file = Advisories::shipped();
        let redishell = file
            .advisories
            .iter()
            .find(|a| a.ids[0] == "CVE-2025-49844")
            .unwrap();
        for (version, standing) in [
            (Version(6, 2, 19), Standing::MendedIn(Version(6, 2, 20))),
            (Version(6, 2, 20), Standing::Sound),
            (Version(7, 0, 15), Standing::Unmended),
            (Version(7, 2, 10), Standing::MendedIn(Version(7, 2, 11))),
            (Version(8, 2, 2), Standing::Sound),
            (Version(8, 4, 0), Standing::Sound),
        ] {
            assert_eq!(
                redishell.standing(Vendor::Redis, version),
                standing,
                "{version}"
            );
        }
        assert_eq!(
            redishell.standing(Vendor::Valkey, Version(9, 0, 0)),
            Standing::Sound
        );
        // Introduced in 8.2, so older branches never had it.
        let xackdel = file
            .advisories
            .iter()
            .find(|a| a.ids[0] == "CVE-2025-62507")
            .unwrap();
        assert_eq!(
            xackdel.standing(Vendor::Redis, Version(7, 4, 0)),
            Standing::Sound
        );
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("2026-11-22"), Some(20_779));
        assert_eq!(day("soon"), None);
    }
}
