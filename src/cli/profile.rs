//! Saved profiles: what `create` made, so that `check` needs no address and `destroy` knows what to
//! take away.
//!
//! A profile is one YAML file below `$XDG_STATE_HOME/goodcache` (`~/.local/state/goodcache`), written
//! whole or not at all, and readable by its owner only. A password that create made up lies in a file
//! of its own beside it; the profile only names that file.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::config::Tls;
use super::environment::Environment;
use super::values;
use crate::cluster::Secret;
use crate::model::NodeAddr;

/// What create made under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The format of the file; 1.
    pub schema: u32,
    /// Its name.
    pub name: String,
    /// How it was made.
    pub made: Made,
    /// Where its nodes are reached.
    pub nodes: Vec<NodeAddr>,
    /// Announced address to reachable address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_map: BTreeMap<NodeAddr, NodeAddr>,
    /// Which zone a node stands in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zones: BTreeMap<NodeAddr, String>,
    /// The ACL user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file whose first line is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The users that create set apart, and the file with the password of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, PathBuf>,
    /// TLS, when it is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How a cluster was made, with all that making it again, or taking it away, needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum Made {
    /// Of servers that ran already: nothing to take away.
    Nodes,
    /// Of containers, which carry the name as their compose project.
    Docker {
        /// The engine's address when it was not the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<String>,
        /// The image.
        image: String,
        /// The ports and how many there are.
        #[serde(flatten)]
        shape: Shape,
    },
    /// Of processes on this machine.
    Local {
        /// The folder that holds their data.
        dir: PathBuf,
        /// The server program.
        server: PathBuf,
        /// The ports and how many there are.
        #[serde(flatten)]
        shape: Shape,
    },
}

/// How many nodes, and at which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Masters.
    pub masters: u16,
    /// Replicas of each.
    pub replicas: u16,
    /// The first node's port.
    pub base_port: u16,
    /// Where they listen or are published.
    pub bind: IpAddr,
    /// `cluster-node-timeout`; profiles of older versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_timeout_ms: Option<u64>,
}

/// The folder of profiles.
#[derive(Debug, Clone)]
pub struct Profiles {
    root: PathBuf,
}

impl Profiles {
    /// The user's own folder; `None` when neither `XDG_STATE_HOME` nor `HOME` is set.
    pub fn of(environment: &Environment) -> Option<Profiles> {
        let state = match (environment.get("XDG_STATE_HOME"), environment.get("HOME")) {
            (Some(state), _) if Path::new(state).is_absolute() => PathBuf::from(state),
            (_, Some(home)) => Path::new(home).join(".local/state"),
            _ => return None,
        };
        Some(Profiles {
            root: state.join("goodcache"),
        })
    }

    /// Writes a profile, and makes it the current one.
    pub fn save(&self, profile: &Profile) -> Result<()> {
        self.update(profile)?;
        self.make_current(&profile.name)
    }

    /// Writes a profile that is there already anew, and leaves the current one as it is.
    pub fn update(&self, profile: &Profile) -> Result<()> {
        let path = self.file(&profile.name, "yaml")?;
        write_private(&path, text_of(profile)?.as_bytes())
    }

    /// Makes that profile the one that is meant when no cluster is named.
    fn make_current(&self, name: &str) -> Result<()> {
        write_private(&self.root.join("current"), format!("{name}\n").as_bytes())
    }

    /// Keeps a password in a file of its own, and tells which.
    pub fn save_password(&self, name: &str, password: &Secret) -> Result<PathBuf> {
        let path = self.password_path(name)?;
        write_private(&path, format!("{}\n", password.expose()).as_bytes())?;
        Ok(path)
    }

    /// Where the password of that cluster is kept when create made it up.
    pub fn password_path(&self, name: &str) -> Result<PathBuf> {
        self.file(name, "password")
    }

    /// The folder of the authority that create made for a cluster, and of its nodes' certificates.
    pub fn tls_folder(&self, name: &str) -> PathBuf {
        self.root.join("tls").join(name)
    }

    /// Where the password of a user is kept that create set apart.
    pub fn user_path(&self, name: &str, user: &str) -> PathBuf {
        self.users_folder(name).join(user)
    }

    /// The folder with the passwords of a cluster's users.
    pub fn users_folder(&self, name: &str) -> PathBuf {
        self.root.join("users").join(name)
    }

    /// Keeps the password of a user of that cluster, and tells where.
    pub fn save_user(&self, name: &str, user: &str, password: &Secret) -> Result<PathBuf> {
        let path = self.user_path(name, user);
        write_private(&path, format!("{}\n", password.expose()).as_bytes())?;
        Ok(path)
    }

    /// The folder in which rotations of passwords are noted; it is made, for its owner alone.
    pub fn rotations_folder(&self) -> Result<PathBuf> {
        let folder = self.root.join("rotations");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        Ok(folder)
    }

    /// The profile of that name; `None` when there is none.
    pub fn load(&self, name: &str) -> Result<Option<Profile>> {
        let path = self.file(name, "yaml")?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", path.display()));
            }
        };
        let profile: Profile = serde_yaml::from_str(&text).with_context(|| damaged(&path))?;
        if profile.schema != 1 {
            bail!(
                "could not read {}: it has schema {}, and this goodcache knows 1 only",
                path.display(),
                profile.schema
            );
        }
        Ok(Some(profile))
    }

    /// The names of all profiles, sorted.
    pub fn list(&self) -> Result<Vec<String>> {
        let folder = self.root.join("clusters");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", folder.display()));
            }
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                let name = name.strip_suffix(".yaml")?;
                values::cluster_name(name).ok()
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Removes a profile, the passwords and certificates that create made for it, the report of its last drill and how far a restore
    /// into it came; what is not there is fine.
    pub fn remove(&self, name: &str) -> Result<()> {
        let report = self.reports_folder().join(format!("{name}.report.json"));
        for path in [
            self.file(name, "yaml")?,
            self.file(name, "password")?,
            report,
            self.restore_path(name),
            self.restore_path(name).with_extension("restore-lock"),
            self.restore_settings_path(name),
        ] {
            gone(&path)?;
        }
        for folder in [self.tls_folder(name), self.users_folder(name)] {
            if folder.exists() {
                std::fs::remove_dir_all(&folder)
                    .with_context(|| format!("could not remove {}", folder.display()))?;
            }
        }
        if self.current().as_deref() == Some(name) {
            gone(&self.root.join("current"))?;
        }
        Ok(())
    }

    /// The name of the profile that was saved last, if it is still there.
    pub fn current(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join("current")).ok()?;
        values::cluster_name(text.trim()).ok()
    }

    /// The folder in which local nodes keep their data when no other is named.
    pub fn data_folder(&self, name: &str) -> PathBuf {
        self.root.join("data").join(name)
    }

    /// Where is noted how far a restore into that target came; its name may be an address.
    pub fn restore_path(&self, target: &str) -> PathBuf {
        self.data_folder(&format!("{target}.restore"))
    }

    /// Where the settings are noted that a restore into that target changed for the moment.
    pub fn restore_settings_path(&self, target: &str) -> PathBuf {
        self.data_folder(&format!("{target}.restore-settings"))
    }

    /// The folder with the report of each cluster's last drill.
    pub fn reports_folder(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// The folder in which drills note what they broke.
    pub fn drills_folder(&self) -> PathBuf {
        self.root.join("drills")
    }

    /// The folder in which tune writes its undo files.
    pub fn undo_folder(&self) -> PathBuf {
        self.root.join("undo")
    }

    fn file(&self, name: &str, ending: &str) -> Result<PathBuf> {
        let name = values::cluster_name(name).map_err(|why| anyhow::anyhow!("'{name}': {why}"))?;
        Ok(self.root.join("clusters").join(format!("{name}.{ending}")))
    }
}

fn text_of(profile: &Profile) -> Result<String> {
    let text = serde_yaml::to_string(profile).context("could not write the profile as YAML")?;
    Ok(format!(
        "# Written by goodcache create; goodcache destroy removes it.\n{text}"
    ))
}

fn damaged(path: &Path) -> String {
    format!(
        "could not read {}, which goodcache create wrote (mend it, or remove it and create again)",
        path.display()
    )
}

fn gone(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let told = || format!("could not write {}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(told)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .with_context(told)?;
    file.write_all(content).with_context(told)?;
    file.as_file().sync_all().with_context(told)?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(told)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, made: Made) -> Profile {
        Profile {
            schema: 1,
            name: name.into(),
            made,
            nodes: vec![NodeAddr::new("127.0.0.1", 7001), NodeAddr::new("::1", 7002)],
            node_map: BTreeMap::from([(
                NodeAddr::new("172.18.0.2", 7001),
                NodeAddr::new("127.0.0.1", 7001),
            )]),
            zones: BTreeMap::new(),
            user: None,
            password_file: None,
            users: BTreeMap::from([("check".into(), "/u/check".into())]),
            tls: Some(Tls::default()),
        }
    }

    fn shape() -> Shape {
        Shape {
            masters: 3,
            replicas: 1,
            base_port: 7001,
            bind: "127.0.0.1".parse().unwrap(),
            node_timeout_ms: Some(1000),
        }
    }

    fn profiles() -> (tempfile::TempDir, Profiles) {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_str().unwrap();
        let profiles = Profiles::of(&Environment::of([("XDG_STATE_HOME", state)])).unwrap();
        (folder, profiles)
    }

    #[test]
    fn what_is_saved_is_read_back() {
        let (_folder, profiles) = profiles();
        for made in [
            Made::Nodes,
            Made::Docker {
                engine: Some("tcp://h:2376".into()),
                image: "redis:7".into(),
                shape: shape(),
            },
            Made::Docker {
                engine: None,
                image: "redis:7".into(),
                shape: shape(),
            },
            Made::Local {
                dir: "/x".into(),
                server: "/usr/bin/redis-server".into(),
                shape: shape(),
            },
        ] {
            let saved = profile("shop", made);
            profiles.save(&saved).unwrap();
            assert_eq!(profiles.load("shop").unwrap(), Some(saved));
        }
        assert_eq!(profiles.list().unwrap(), ["shop"]);
        assert_eq!(profiles.current().as_deref(), Some("shop"));
    }

    #[test]
    fn files_are_the_owners_alone_and_leave_with_the_profile() {
        let (folder, profiles) = profiles();
        profiles.save(&profile("shop", Made::Nodes)).unwrap();
        let secret = Secret::new("s3cret");
        let path = profiles.save_password("shop", &secret).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let clusters = folder.path().join("goodcache/clusters");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&clusters.join("shop.yaml")), 0o600);
        assert_eq!(mode(&clusters), 0o700);
        // Another cluster of that name must not go on where a restore into this one stopped.
        let noted = [
            profiles.restore_path("shop"),
            profiles.restore_settings_path("shop"),
        ];
        std::fs::create_dir_all(noted[0].parent().unwrap()).unwrap();
        noted
            .iter()
            .for_each(|path| std::fs::write(path, "{}").unwrap());
        profiles.remove("shop").unwrap();
        profiles.remove("shop").unwrap();
        assert!(noted.iter().all(|path| !path.exists()));
        assert_eq!(std::fs::read_dir(&clusters).unwrap().count(), 0);
        assert_eq!(
            (profiles.current(), profiles.load("shop").unwrap()),
            (None, None)
        );
    }

    #[test]
    fn a_damaged_profile_is_an_error_that_names_the_file() {
        let (folder, profiles) = profiles();
        profiles.save(&profile("shop", Made::Nodes)).unwrap();
        let path = folder.path().join("goodcache/clusters/shop.yaml");
        for (text, why) in [
            ("schema: 1\nname: [", "create again"),
            ("", "create again"),
            (
                "schema: 2\nname: shop\nmade: {by: nodes}\nnodes: []\n",
                "schema 2",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", profiles.load("shop").unwrap_err());
            assert!(
                error.contains("shop.yaml") && error.contains(why),
                "{error}"
            );
        }
    }

    #[test]
    fn where_profiles_lie() {
        for (environment, root) in [
            (
                Environment::of([("HOME", "/home/ann")]),
                Some("/home/ann/.local/state/goodcache"),
            ),
            (
                Environment::of([("HOME", "/h"), ("XDG_STATE_HOME", "/s")]),
                Some("/s/goodcache"),
            ),
            (
                Environment::of([("HOME", "/h"), ("XDG_STATE_HOME", "s")]),
                Some("/h/.local/state/goodcache"),
            ),
            (Environment::of([]), None),
        ] {
            let found = Profiles::of(&environment).map(|profiles| profiles.root);
            assert_eq!(found.as_deref(), root.map(Path::new));
        }
    }
}
