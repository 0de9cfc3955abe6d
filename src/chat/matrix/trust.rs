//! What is to be believed of whoever sent something.
//!
//! Invariants: what cannot be told is not trusted; before a device counts as unsigned the server is asked once more, since
//! its owner may have signed it a moment ago. Reactions are never encrypted by any client, so for them that says nothing:
//! whoever runs the server could make one up (docs/CHAT.md says so).

use matrix_sdk::Room;
use matrix_sdk::deserialized_responses::{
    DeviceLinkProblem, EncryptionInfo, TimelineEvent, TimelineEventKind, VerificationLevel, VerificationState,
};
use matrix_sdk::ruma::UserId;

use super::hearing::Said;
use super::session::Session;
use crate::chat::heard::{Distrust, What};
use crate::domain::role::Roles;

/// Why what was said is not obeyed, if anything speaks against it.
pub(super) async fn distrust(
    session: &Session,
    room: &Room,
    event: &TimelineEvent,
    said: &Said,
) -> Option<Distrust> {
    let Ok(sender) = UserId::parse(&said.sender) else {
        return Some(Distrust::Unknown);
    };
    if is_foreign(&sender, session.user(), &session.settings.roles) {
        return Some(Distrust::Foreign);
    }
    match &event.kind {
        TimelineEventKind::Decrypted(decrypted) => {
            of_device(session, room, &decrypted.encryption_info, &sender).await
        }
        TimelineEventKind::UnableToDecrypt { .. } => Some(Distrust::Unknown),
        TimelineEventKind::PlainText { .. } if matches!(said.what, What::Reaction { .. }) => None,
        TimelineEventKind::PlainText { .. } => match room.latest_encryption_state().await {
            Ok(state) if !state.is_encrypted() => None,
            Ok(_) => Some(Distrust::Unencrypted),
            Err(_) => Some(Distrust::Unknown),
        },
    }
}

/// Whether somebody is of another server, and nobody who was written down, to the letter.
fn is_foreign(sender: &UserId, ours: &UserId, roles: &Roles) -> bool {
    sender.server_name() != ours.server_name() && !roles.knows(sender.as_str())
}

async fn of_device(
    session: &Session,
    room: &Room,
    info: &EncryptionInfo,
    sender: &UserId,
) -> Option<Distrust> {
    let first = of_state(&info.verification_state);
    first?;
    let asked = session.client.encryption().request_user_identity(sender).await;
    let session_id = info.session_id();
    let (Ok(_), Some(session_id)) = (asked, session_id) else {
        return first;
    };
    match room.get_encryption_info(session_id, sender).await {
        Some(now) => of_state(&now.verification_state),
        None => first,
    }
}

fn of_state(state: &VerificationState) -> Option<Distrust> {
    match state {
        // We verify nobody by hand: that a person's own identity signed the device is what counts.
        VerificationState::Verified
        | VerificationState::Unverified(VerificationLevel::UnverifiedIdentity) => None,
        VerificationState::Unverified(
            VerificationLevel::UnsignedDevice | VerificationLevel::None(DeviceLinkProblem::MissingDevice),
        ) => Some(Distrust::UnsignedDevice),
        VerificationState::Unverified(_) => Some(Distrust::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use matrix_sdk::ruma::user_id;

    use super::*;
    use crate::domain::role::Role;

    #[test]
    fn an_id_that_looks_like_another_is_another() {
        let mut roles = Roles::default();
        for id in ["@jane:home.example", "@ann:friends.example"] {
            roles.give(None, id, Role::Owner);
        }
        let ours = user_id!("@bot:home.example");
        let rows = [
            ("@jane:home.example", false, true),
            ("@ann:friends.example", false, true),
            // Of our own server: known by its id, and without a role.
            ("@Jane:home.example", false, false),
            ("@jane.:home.example", false, false),
            ("@jаne:home.example", false, false),
            ("@jane:home.example.evil.example", true, false),
            ("@jane:home.exampie", true, false),
            ("@jane:HOME.example", true, false),
            ("@jane:home.example:8448", true, false),
            ("@ann:home.example", false, false),
            ("@ann:friends.example.org", true, false),
            ("@bot:friends.example", true, false),
        ];
        for (id, foreign, known) in rows {
            let sender = UserId::parse(id).unwrap();
            assert_eq!(is_foreign(&sender, ours, &roles), foreign, "{id}");
            assert_eq!(roles.knows(id), known, "{id}");
        }
    }

    #[test]
    fn a_device_that_its_owner_did_not_sign_is_not_trusted() {
        use VerificationLevel as Level;
        let rows = [
            (Level::UnverifiedIdentity, None),
            (Level::UnsignedDevice, Some(Distrust::UnsignedDevice)),
            (
                Level::None(DeviceLinkProblem::MissingDevice),
                Some(Distrust::UnsignedDevice),
            ),
            (
                Level::None(DeviceLinkProblem::InsecureSource),
                Some(Distrust::Unknown),
            ),
            (Level::VerificationViolation, Some(Distrust::Unknown)),
            (Level::MismatchedSender, Some(Distrust::Unknown)),
        ];
        for (level, distrust) in rows {
            assert_eq!(of_state(&VerificationState::Unverified(level)), distrust);
        }
        assert_eq!(of_state(&VerificationState::Verified), None);
    }
}
