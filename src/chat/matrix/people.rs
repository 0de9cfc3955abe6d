//! Who is invited, and whose invitations are followed.
//!
//! Invariants: nobody is invited twice, and nobody who left is asked again by the same process; an invitation of somebody
//! without a role is declined; whoever invites to very many rooms does not keep the bot from its work.

use std::time::Duration;

use matrix_sdk::ruma::events::room::member::MembershipState;
use matrix_sdk::ruma::{OwnedUserId, UserId};
use matrix_sdk::{Room, RoomMemberships, RoomState};
use tokio::time::Instant;

use super::fault;
use super::names::Subject;
use super::session::Session;
use crate::chat::ChatError;
use crate::chat::message::Purpose;

/// Invitations that are answered in a minute; the others wait.
const PER_MINUTE: usize = 20;

/// When invitations were answered.
#[derive(Debug, Default)]
pub(super) struct Answered(Vec<Instant>);

impl Answered {
    /// Whether one more may be answered now.
    fn may(&mut self, now: Instant) -> bool {
        self.0
            .retain(|at| now.duration_since(*at) < Duration::from_mins(1));
        let may = self.0.len() < PER_MINUTE;
        if may {
            self.0.push(now);
        }
        may
    }
}

/// Invites those who have a role there and are not in the room. Somebody whom the server does not take is left out.
pub(super) async fn invite_missing(
    session: &Session,
    room: &Room,
    subject: &Subject,
) -> Result<(), ChatError> {
    let wanted = wanted(session, subject);
    if wanted.is_empty() {
        return Ok(());
    }
    let members = room.members(RoomMemberships::all()).await;
    let members = members.map_err(|error| fault::of("asking who is in a room", &error))?;
    for user in wanted {
        let membership = members.iter().find(|member| member.user_id() == user);
        let is_asked = membership.is_some_and(|member| {
            // Whoever left or was banned is not called back by a restart.
            !matches!(member.membership(), MembershipState::Knock)
        });
        if is_asked {
            continue;
        }
        if let Err(error) = room.invite_user_by_id(&user).await {
            match fault::of("inviting", &error) {
                later @ (ChatError::Limited { .. } | ChatError::Away { .. }) => return Err(later),
                other => tracing::warn!(%user, room = %room.room_id(), error = %other, "cannot be invited"),
            }
        }
    }
    Ok(())
}

fn wanted(session: &Session, subject: &Subject) -> Vec<OwnedUserId> {
    let roles = &session.settings.roles;
    let ids = match subject {
        Subject::Space => roles.people(),
        Subject::Room(Purpose::Project(name)) => roles.people_of(Some(name)),
        Subject::Room(_) => roles.people_of(None),
    };
    { ids.into_iter() }
        .filter_map(|id| UserId::parse(id).ok())
        .filter(|id| id != session.user())
        .collect()
}

/// Follows invitations of people with a role, and declines all others.
pub(super) async fn answer_invitations(session: &Session, answered: &mut Answered) {
    for room in session.client.invited_rooms() {
        if !answered.may(Instant::now()) {
            tracing::warn!("too many invitations; the others are answered later");
            return;
        }
        let inviter = room.invite_details().await.map(|invite| invite.inviter_id);
        let is_known = inviter
            .as_ref()
            .is_ok_and(|id| session.settings.roles.knows(id.as_str()));
        let done = match is_known {
            true => room.join().await,
            false => room.leave().await,
        };
        let inviter = inviter.map(|id| id.to_string()).unwrap_or_default();
        match done {
            Ok(()) => tracing::info!(room = %room.room_id(), inviter, is_known, "answered an invitation"),
            Err(error) => {
                let error = fault::of("answering an invitation", &error);
                tracing::warn!(room = %room.room_id(), inviter, is_known, %error, "an invitation is not answered");
            }
        }
    }
}

/// Whether a room has nobody but us and one more.
pub(super) fn is_of_two(room: &Room) -> bool {
    room.state() == RoomState::Joined && room.joined_members_count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute() {
        let mut answered = Answered::default();
        let start = Instant::now();
        let count = (0..1_000).filter(|_| answered.may(start)).count();
        assert_eq!(count, PER_MINUTE);
        let later = start + Duration::from_secs(61);
        assert_eq!((0..1_000).filter(|_| answered.may(later)).count(), PER_MINUTE);
    }
}
