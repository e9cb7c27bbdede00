//! From settings to evidence.

use super::exit::Failure;
use super::reach;
use super::screen::Screen;
use super::settings::Settings;
use crate::cluster::{Access, Ask};
use crate::model::Evidence;

/// Surveys the cluster and looks beside it.
pub async fn look(
    settings: &Settings,
    access: &mut Access,
    ask: &Ask,
    _is_deep: bool,
    screen: &Screen,
) -> Result<Evidence, Failure> {
    let survey = reach::look(settings, access, ask, screen).await?;
    Ok(Evidence {
        survey,
        ..Evidence::default()
    })
}
