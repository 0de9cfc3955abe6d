//! How long a homeserver is to keep what is said in a room: as the configuration has it, and nothing where it has nothing.

use std::time::Duration;

use orchestrator::chat::Chat;
use orchestrator::chat::matrix::Matrix;
use orchestrator::chat::message::Purpose;
use orchestrator::config::section;
use orchestrator::domain::role::{Role, Roles};
use serde_json::{Value, json};

use super::Stage;

const DAY: Duration = Duration::from_hours(24);

impl Stage {
    /// The process begins again with another configuration.
    async fn configured(&mut self, change: impl FnOnce(&mut section::Matrix)) -> [Value; 3] {
        let mut config = self.scene.config(&self.account);
        change(&mut config);
        let mut roles = Roles::default();
        roles.give(None, &self.owner.id, Role::Owner);
        let folder = self.folder.path().join("state");
        self.bot = Matrix::open(&config, &roles, folder, Duration::from_secs(20)).unwrap();
        let mut found = [Value::Null, Value::Null, Value::Null];
        let projects = ["site", "shop"].map(|name| Purpose::Project(name.to_owned()));
        let purposes = projects.into_iter().chain([Purpose::Instance]);
        for (purpose, found) in purposes.zip(&mut found) {
            let room = self.bot.room(&purpose).await.unwrap();
            *found = self.state(&room, "m.room.retention", "").await["max_lifetime"].clone();
        }
        found
    }
}

#[tokio::test]
async fn a_room_keeps_what_is_said_as_long_as_is_configured() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let ms = |days: u64| json!(days * 86_400_000);
    assert_eq!(
        stage.configured(|_| {}).await,
        [Value::Null, Value::Null, Value::Null]
    );
    let both = |matrix: &mut section::Matrix| {
        matrix.retention = Some(30 * DAY);
        matrix.project_retention.insert("shop".to_owned(), 7 * DAY);
    };
    assert_eq!(stage.configured(both).await, [ms(30), ms(7), ms(30)]);
    let longer = |matrix: &mut section::Matrix| {
        matrix.retention = Some(60 * DAY);
        matrix.project_retention.insert("shop".to_owned(), 7 * DAY);
    };
    assert_eq!(stage.configured(longer).await, [ms(60), ms(7), ms(60)]);
    // What is not configured any more is left as it is.
    let of_project = |matrix: &mut section::Matrix| {
        matrix.project_retention.insert("site".to_owned(), DAY);
    };
    assert_eq!(stage.configured(of_project).await, [ms(1), ms(7), ms(60)]);
}
