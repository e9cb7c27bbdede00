//! `create --nodes --acl-users`: users set apart on servers that somebody else started, once they are a
//! cluster.

use super::{Go, Running, users};
use crate::cli::acl::{self, ADMIN_USER, REPLICATION_USER};
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::Source;
use crate::cluster::Credentials;
use crate::model::Version;
use crate::ops::create::{Apart, Candidate, Report, set_apart};
use crate::ops::rotate::hash_of;

/// Whether the nodes run already, and know none of the users.
pub(super) fn is_due(running: &Running<'_>) -> bool {
    running.create.acl_users.value
        && running.source() == Source::Nodes
        && running.layers.profile.is_none()
}

/// Sets users apart where that is due; from then on the admin is who asks.
pub(super) async fn apart(
    running: &Running<'_>,
    go: &mut Go,
    report: &mut Report,
) -> Result<(), Failure> {
    if !is_due(running) {
        return Ok(());
    }
    let nodes: Vec<_> = go.candidates.iter().map(|one| one.addr.clone()).collect();
    let wanted = wanted(running, &go.candidates)?;
    let kept = set_apart(&go.access, &nodes, &wanted).await;
    let not_kept = kept.map_err(|stopped| {
        let how = match stopped.is_closing {
            true => {
                "the users are there, and the default user is off on some nodes: go on as the \
                     admin, with --user admin and --password-file"
            }
            false => "the default user is as it was: mend that, then run the same command again",
        };
        let file = running.layers.profiles.as_ref();
        let file = file.map(|own| own.user_path(running.name(), ADMIN_USER));
        let file = file.filter(|_| stopped.is_closing);
        let file = file.map_or_else(String::new, |path| format!(" {}", path.display()));
        let hint = stopped.error.hint();
        Failure::new(Exit::HalfWay, stopped)
            .next(hint)
            .next(format!("{how}{file}"))
    })?;
    report.notes.extend(not_kept);
    go.access.credentials = wanted.admin;
    Ok(())
}

fn wanted(running: &Running<'_>, candidates: &[Candidate]) -> Result<Apart, Failure> {
    users::make_up_missing(running)?;
    let versions = candidates.iter().map(|one| one.facts()?.info.version());
    let lowest: Option<Version> = versions.flatten().min();
    let mut users = Vec::new();
    for user in acl::USERS {
        let hash = hash_of(&users::password(running, user)?);
        let rule = acl::of_user(user, lowest).unwrap_or_default();
        users.push((user.to_owned(), format!("on #{hash} {rule}")));
    }
    let replication = users::password(running, REPLICATION_USER)?;
    Ok(Apart {
        users,
        replication: (REPLICATION_USER.to_owned(), replication),
        admin: Credentials {
            user: Some(ADMIN_USER.to_owned()),
            password: Some(users::password(running, ADMIN_USER)?),
        },
    })
}
