//! How an image comes to be on the engine, and what must be known of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, ListImagesOptionsBuilder};
use futures_util::StreamExt;

use super::{DockerError, Engine};
use crate::model::{Event, Events};

/// How long a pull may go without a word.
const PULL_PATIENCE: Duration = Duration::from_secs(60);

/// What a container made of the image needs to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its name as given.
    pub name: String,
    /// The user that it starts as; empty is root.
    pub user: String,
    /// What comes before the configuration file on the command line, when the image has no
    /// entrypoint that would put it there.
    pub server: Option<String>,
}

/// The image, pulled when the engine does not have it.
pub(super) async fn ensure(
    engine: &Engine,
    name: &str,
    events: &Events,
) -> Result<Image, DockerError> {
    match inspect(engine, name).await {
        Err(error) if error.is_not_found() => {
            pull(engine, name, events).await?;
            inspect(engine, name).await
        }
        known => known,
    }
}

async fn inspect(engine: &Engine, name: &str) -> Result<Image, DockerError> {
    let asked = engine.docker.inspect_image(name);
    let config = engine
        .ask(format!("look at image {name}"), asked)
        .await?
        .config
        .unwrap_or_default();
    let entrypoint = config.entrypoint.unwrap_or_default();
    Ok(Image {
        name: name.to_owned(),
        user: config.user.unwrap_or_default(),
        server: entrypoint
            .is_empty()
            .then(|| server_of(&config.cmd.unwrap_or_default())),
    })
}

/// The server that an image without an entrypoint would start.
fn server_of(command: &[String]) -> String {
    match command.first() {
        Some(program) if program.ends_with("-server") => program.clone(),
        _ => "redis-server".to_owned(),
    }
}

async fn pull(engine: &Engine, name: &str, events: &Events) -> Result<(), DockerError> {
    events.begin(format!("pulling image {name}"));
    let options = CreateImageOptionsBuilder::new()
        .from_image(&with_tag(name))
        .build();
    let mut lines = engine.docker.create_image(Some(options), None, None);
    let mut layers = Layers::default();
    loop {
        let failed = match tokio::time::timeout(PULL_PATIENCE, lines.next()).await {
            Ok(Some(Ok(line))) => {
                if let Some(error) = line.error_detail.as_ref().and_then(|e| e.message.clone()) {
                    error
                } else {
                    if let Some((done, of)) = layers.note(&line) {
                        events.tell(Event::Progress(done, of));
                    }
                    continue;
                }
            }
            Ok(Some(Err(error))) => reason(engine.understand("pull", error))?,
            Ok(None) => break,
            Err(_) => format!("no word for {} s", PULL_PATIENCE.as_secs()),
        };
        return Err(DockerError::NoImage {
            image: name.to_owned(),
            why: failed,
            local: servers_here(engine).await,
        });
    }
    events.done(format!("image {name} is on the engine"));
    Ok(())
}

/// The engine's own words about a pull that it gave up; an engine that went away stays an error of
/// its own.
fn reason(error: DockerError) -> Result<String, DockerError> {
    match error {
        DockerError::Refused { message, .. } => Ok(message),
        DockerError::Broken { why, .. } => Ok(why),
        other => Err(other),
    }
}

/// Without a tag the engine would fetch every one there is.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') || last.contains('@') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// How far each layer has come, in bytes.
#[derive(Default)]
struct Layers(BTreeMap<String, (u64, u64)>);

impl Layers {
    /// Takes note of a line; gives bytes fetched and bytes known of, over all layers.
    fn note(&mut self, line: &CreateImageInfo) -> Option<(u64, u64)> {
        if line.status.as_deref() != Some("Downloading") {
            return None;
        }
        let detail = line.progress_detail.as_ref()?;
        let done = u64::try_from(detail.current?).ok()?;
        let total = u64::try_from(detail.total?).ok()?;
        self.0.insert(line.id.clone()?, (done, total));
        let sum = |part: fn(&(u64, u64)) -> u64| self.0.values().map(part).sum();
        Some((sum(|layer| layer.0), sum(|layer| layer.1)))
    }
}

/// The images on the engine that look as if they held a server; none when it cannot be told.
async fn servers_here(engine: &Engine) -> Vec<String> {
    let options = ListImagesOptionsBuilder::new().build();
    let listed = engine.docker.list_images(Some(options));
    let images = engine.ask("list images", listed).await.unwrap_or_default();
    let is_server = |tag: &String| tag.contains("redis") || tag.contains("valkey");
    let mut tags: Vec<String> = images
        .into_iter()
        .flat_map(|image| image.repo_tags)
        .filter(is_server)
        .collect();
    tags.sort();
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    #[test]
    fn a_name_without_a_tag_means_the_latest() {
        for (name, wanted) in [
            ("redis", "redis:latest"),
            ("redis:7-alpine", "redis:7-alpine"),
            ("localhost:5000/redis", "localhost:5000/redis:latest"),
            ("redis@sha256:ab", "redis@sha256:ab"),
        ] {
            assert_eq!(with_tag(name), wanted);
        }
    }

    #[test]
    fn layers_add_up() {
        let line = |id: &str, current, total| CreateImageInfo {
            id: Some(id.into()),
            status: Some("Downloading".into()),
            progress_detail: Some(ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..CreateImageInfo::default()
        };
        let mut layers = Layers::default();
        assert_eq!(layers.note(&line("a", 1, 10)), Some((1, 10)));
        assert_eq!(layers.note(&line("b", 5, 20)), Some((6, 30)));
        assert_eq!(layers.note(&line("a", 10, 10)), Some((15, 30)));
        assert_eq!(layers.note(&CreateImageInfo::default()), None);
    }

    #[test]
    fn the_server_of_an_image_without_an_entrypoint() {
        let command = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(server_of(&command(&["valkey-server"])), "valkey-server");
        assert_eq!(server_of(&command(&["/bin/sh"])), "redis-server");
        assert_eq!(server_of(&[]), "redis-server");
    }
}
