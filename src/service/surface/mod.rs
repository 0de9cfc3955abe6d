//! Surfaces: where people are told of tasks, and steer them.
//!
//! Each surface has loops of its own: a courier brings what the outbox holds for it and keeps its cards current, an ear takes
//! what people say and press, a clerk does what they want and answers, and whoever waits is told so. Invariants: nothing that decides or works ever waits
//! for a surface; what could not be told stays in the store; what was heard is written down before it is acted on, and is
//! answered, also after a restart. In a fleet the leader's surfaces work. Deliberately absent: which report goes to which
//! surface ([`super::outbox`]), words and limits of the services (`chat`).

mod ack;
mod agents;
mod answer;
mod card;
mod cards;
mod clerk;
mod courier;
mod daily;
mod ear;
mod files;
mod missed;
mod open;
mod order;
mod outage;
mod post;
mod removed;
mod standing;
mod summary;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::clerk::Clerk;
use self::courier::Courier;
use super::instance::Instance;
use crate::chat::webhook::Webhook;
use crate::chat::{self, port};
use crate::config::section::Chat;
use crate::domain::report::Surface;

pub(in crate::service) use self::open::impediment;
pub(in crate::service) use self::removed::removed;
pub use self::standing::{Standing, Standings, Told, flag};

/// How long a single pass goes on telling.
const FAREWELL: Duration = Duration::from_secs(10);

/// What a surface speaks through.
#[derive(Clone)]
pub enum Tongue {
    /// Tells only.
    Webhook(Arc<Webhook>),
    /// Is listened to as well.
    Chat(Arc<dyn chat::Chat>),
}

/// A surface that is open.
#[derive(Clone)]
struct Open {
    instance: Arc<Instance>,
    surface: Surface,
    chat: Chat,
    standing: Arc<Standing>,
}

/// The surfaces of a running service.
pub struct Surfaces {
    over: CancellationToken,
    all: JoinSet<()>,
}

impl Surfaces {
    /// Opens those of the configuration.
    pub async fn start(instance: &Arc<Instance>) -> Self {
        let mut tongues = Vec::new();
        for (surface, chat) in &instance.config.chat {
            match open::tongue(instance, surface, chat).await {
                Ok(tongue) => tongues.push((surface.clone(), tongue)),
                // `doctor` and `status` say so, too.
                Err(why) => tracing::error!(%surface, why, "nothing is told there"),
            }
        }
        let mut surfaces = Self::speak(instance, tongues);
        let removed = removed::see_to(instance.clone());
        let over = surfaces.over.clone();
        surfaces
            .all
            .spawn(over.run_until_cancelled_owned(removed).map(drop));
        surfaces
    }

    fn speak(instance: &Arc<Instance>, tongues: Vec<(Surface, Tongue)>) -> Self {
        let over = CancellationToken::new();
        let mut all = JoinSet::new();
        for (open, tongue) in tongues.into_iter().filter_map(|(s, t)| open(instance, s, t)) {
            let end = |loops: futures_util::future::BoxFuture<'static, ()>| {
                over.clone().run_until_cancelled_owned(loops).map(drop)
            };
            all.spawn(end(Courier::new(open.clone(), tongue.clone()).keep().boxed()));
            if let Tongue::Chat(chat) = tongue {
                instance.surfaces.speak(&open.surface, chat.clone());
                all.spawn(end(ack::acknowledge(open.clone(), chat.clone()).boxed()));
                all.spawn(end(waiting::keep(open.clone(), chat.clone()).boxed()));
                all.spawn(end(ear::listen(open.clone(), chat.clone()).boxed()));
                all.spawn(end(Clerk::new(open, chat).keep().boxed()));
            }
        }
        Self { over, all }
    }

    /// Ends them; what was on its way is brought again, under the same key.
    pub async fn end(self) {
        self.over.cancel();
        self.all.join_all().await;
    }
}

/// Brings what can be brought now, within a bounded time. Nobody is listened to.
pub async fn flush(instance: &Arc<Instance>) {
    let mut all = JoinSet::new();
    for (surface, chat) in &instance.config.chat {
        let Ok(tongue) = open::tongue(instance, surface, chat).await else {
            continue;
        };
        let Some((open, tongue)) = open(instance, surface.clone(), tongue) else {
            continue;
        };
        let surface = surface.clone();
        let mut courier = Courier::new(open, tongue);
        all.spawn(async move {
            match timeout(FAREWELL, courier.deliver()).await {
                Ok(Err(error)) => tracing::warn!(%surface, %error, "not told yet"),
                Err(_) => tracing::warn!(%surface, "not everything is told yet; the next run goes on"),
                Ok(Ok(_)) => {}
            }
        });
    }
    all.join_all().await;
}

/// Takes a request that a chat service made of ours.
pub async fn request(instance: &Arc<Instance>, surface: &str, request: &port::Request) -> port::Reply {
    let unknown = port::Reply {
        status: 404,
        body: String::new(),
    };
    let Some((surface, chat)) = Surface::parse(surface).and_then(|name| instance.surfaces.of(&name)) else {
        return unknown;
    };
    let Some((open, _)) = open(instance, surface, Tongue::Chat(chat.clone())) else {
        return unknown;
    };
    chat.request(request, &ear::Listener::new(&open)).await
}

fn open(instance: &Arc<Instance>, surface: Surface, tongue: Tongue) -> Option<(Open, Tongue)> {
    let chat = instance.config.chat.get(&surface)?.clone();
    let standing = instance
        .surfaces
        .standing(&surface, chat.per_minute.get(), instance.clock.now());
    let instance = instance.clone();
    let open = Open {
        instance,
        surface,
        chat,
        standing,
    };
    Some((open, tongue))
}

impl Open {
    /// In a fleet, the leader tells, listens and answers.
    fn is_ours(&self) -> bool {
        let member = self.instance.member.as_ref();
        member.is_none_or(|member| member.leads().is_some())
    }

    /// Whether it is listened to here: also while nobody leads because the database is out of reach, so that whoever writes is
    /// told so.
    fn listens(&self) -> bool {
        let member = self.instance.member.as_ref();
        member.is_none_or(|member| member.led_last())
    }
}
