//! Orders, carried out: each by the operation that the command line uses, too.

use chrono::SecondsFormat;

use super::answer;
use super::clerk::{Clerk, Outcome, Reply};
use crate::chat::command::{self, Order, TaskVerb};
use crate::chat::heard::{Heard, What};
use crate::chat::message::Purpose;
use crate::domain::event::Command;
use crate::domain::id::TaskId;
use crate::domain::task::{Block, State, Task};
use crate::format::queue::NewTask;
use crate::service::dispatcher::{Applied, ApplyError};
use crate::service::operations::{self, AddError, Scope};
use crate::store::{CardRow, Filter, Scope as Stored, StoreError};

/// Tasks that are over and may be meant by a part of their name.
const RECENT: u32 = 100;
/// Words that an id is made of, where none is given.
const WORDS: usize = 5;
/// A decision was about what is not so any more.
pub(super) const CHANGED: &str = "That has changed meanwhile. Look at the card again.";
/// Lines of a worker's output that are shown.
const LINES: usize = 20;

/// What somebody talks about.
pub(super) struct Subject {
    pub(super) task: Task,
    /// The message that shows it.
    pub(super) card: Option<CardRow>,
}

impl Clerk {
    /// Carries an order out.
    pub(super) async fn carry_out(
        &self,
        order: Order,
        subject: Option<Subject>,
        heard: &Heard,
    ) -> Result<Outcome, StoreError> {
        let instance = &self.open.instance;
        Ok(match order {
            Order::Help => Outcome::done(Reply {
                code: Some(command::help()),
                ..Reply::of("What can be said here:")
            }),
            Order::Status => {
                let status = operations::status(instance, &Scope::default()).await?;
                Outcome::done(answer::status(&status))
            }
            Order::Usage => {
                let scope = Scope {
                    all: true,
                    project: None,
                };
                let status = operations::status(instance, &scope).await?;
                Outcome::done(answer::usage(&status))
            }
            Order::Archive => {
                let status = operations::status(instance, &Scope::default()).await?;
                Outcome::done(answer::archive(&status))
            }
            Order::Settings => Outcome::done(answer::settings(&instance.config)),
            Order::New { text } => self.new_task(&text, heard).await?,
            Order::StopAll => {
                operations::stop_all(instance, &self.by(heard)).await?;
                Outcome::done(Reply::of(
                    "Everything is stopped, also after a restart, until an owner says !start.",
                ))
            }
            Order::Start => {
                operations::start(instance).await?;
                Outcome::done(Reply::of("The emergency stop is lifted."))
            }
            Order::Agent { .. }
            | Order::Clear
            | Order::Save { .. }
            | Order::Load { .. }
            | Order::Reset
            | Order::Context => self.agents.order(&order, heard).await?,
            Order::Task { verb, words, .. } => match subject {
                Some(subject) => self.of_task(verb, &subject.task, words, heard).await?,
                None => Outcome::of(
                    "unclear",
                    Reply::of("Which task? Name it, or say it in its thread."),
                ),
            },
        })
    }

    fn by(&self, heard: &Heard) -> String {
        format!("{}:{}", self.open.surface, heard.who.id)
    }

    /// A task by its id, or by a part of it that no other has.
    pub(super) async fn named(&self, name: &str) -> Result<Result<Task, String>, StoreError> {
        let store = &self.open.instance.store;
        if let Ok(id) = TaskId::parse(name)
            && let Some(task) = store.task(&id).await?
        {
            return Ok(Ok(task));
        }
        let ended = Filter {
            scope: Stored::Ended,
            limit: RECENT,
            ..Filter::default()
        };
        let live = store.live().await?;
        let ended = store.tasks(&ended).await?.rows;
        let wanted = name.to_lowercase();
        let has = |task: &&Task| task.id.as_str().to_lowercase().contains(&wanted);
        let found: Vec<&Task> = live.iter().filter(has).collect();
        let found = match found.is_empty() {
            true => ended.iter().filter(has).collect(),
            false => found,
        };
        Ok(match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(nearest(name, live.iter().chain(&ended))),
            many => {
                let ids: Vec<&str> = many.iter().take(5).map(|task| task.id.as_str()).collect();
                Err(format!(
                    "'{}' is a part of several: {}.",
                    name.escape_debug(),
                    ids.join(", ")
                ))
            }
        })
    }

    async fn of_task(
        &self,
        verb: TaskVerb,
        task: &Task,
        words: String,
        heard: &Heard,
    ) -> Result<Outcome, StoreError> {
        let instance = &self.open.instance;
        let id = &task.id;
        let command = match verb {
            TaskVerb::Show => {
                let shown = operations::show(instance, id).await?;
                return Ok(shown.map_or_else(|| gone(id), |shown| Outcome::done(answer::show(&shown))));
            }
            TaskVerb::Why => {
                let why = operations::why(instance, id).await?;
                return Ok(why.map_or_else(|| gone(id), |why| Outcome::done(answer::why(&why))));
            }
            TaskVerb::Logs => {
                let lines = words
                    .split_whitespace()
                    .next()
                    .and_then(|word| word.parse().ok())
                    .unwrap_or(LINES);
                return Ok(Outcome::done(answer::logs(instance, task, lines.clamp(1, 200))));
            }
            TaskVerb::Pause => Command::Pause,
            TaskVerb::Resume => Command::Resume,
            TaskVerb::Retry => Command::Retry,
            TaskVerb::Cancel => Command::Cancel {
                reason: or(words, "no reason given"),
            },
            TaskVerb::Approve => Command::Approve {
                comment: words,
                seen: shown_commit(task),
            },
            TaskVerb::Reject => Command::Reject {
                comment: or(words, "no comment"),
            },
            TaskVerb::Tell => return self.tell(task, words, heard).await,
        };
        // Whoever decides has seen what was there as they wrote.
        let decides = matches!(command, Command::Approve { .. } | Command::Reject { .. });
        if decides && heard.at < task.state.since() {
            return Ok(Outcome::refused(CHANGED));
        }
        self.apply(id, command, heard).await
    }

    /// To a worker that asked it is the answer; to any other a word that it hears before its work is judged.
    async fn tell(&self, task: &Task, words: String, heard: &Heard) -> Result<Outcome, StoreError> {
        let files = match &heard.what {
            What::Text { files, .. } => files.as_slice(),
            _ => &[],
        };
        let taken = self
            .open
            .take_files(self.chat.as_ref(), &task.id, &heard.event, files)
            .await;
        let asks = task.history.questions.open().is_some()
            || matches!(
                &task.state,
                State::Blocked {
                    block: Block::Question { .. } | Block::Asked { .. },
                    ..
                }
            );
        if words.is_empty() && taken.paths.is_empty() {
            let why = match taken.left_out.is_empty() {
                true => "There is nothing to tell.".to_owned(),
                false => taken.left_out.join("\n"),
            };
            return Ok(Outcome::of("failed", Reply::of(why)));
        }
        let words = self.open.instance.redactor.redact(&words).into_owned();
        let mut outcome = match asks && taken.paths.is_empty() {
            true => {
                self.apply(&task.id, Command::Answer { text: words }, heard)
                    .await?
            }
            false => {
                let said = Command::Say {
                    text: or(words.clone(), "see the files"),
                    files: taken.paths.clone(),
                };
                let outcome = self.apply(&task.id, said, heard).await?;
                match asks && outcome.verdict == "done" {
                    true => {
                        let text = or(words, "see the files");
                        self.apply(&task.id, Command::Answer { text }, heard).await?
                    }
                    false => outcome,
                }
            }
        };
        if let (Some(reply), false) = (&mut outcome.reply, taken.left_out.is_empty()) {
            reply.text = format!("{}\n{}", reply.text, taken.left_out.join("\n"));
        }
        Ok(outcome)
    }

    async fn apply(&self, id: &TaskId, command: Command, heard: &Heard) -> Result<Outcome, StoreError> {
        let said = matches!(command, Command::Say { .. });
        let decides = matches!(command, Command::Approve { .. } | Command::Reject { .. });
        let verb = command.verb();
        match operations::apply(&self.open.instance, id, &self.by(heard), command).await {
            Ok(Applied::Changed(task)) if said => {
                let when = match task.state.attempt() {
                    Some(_) => "its worker is told when it ends its turn, before its work is judged",
                    None => "its next worker is told",
                };
                Ok(Outcome::done(Reply::of(format!("Noted: {when}."))))
            }
            Ok(Applied::Changed(task)) => {
                let now = match &task.state {
                    State::Stopping { .. } => "its worker is being ended".to_owned(),
                    state => format!("it is {} now", state.name()),
                };
                Ok(Outcome::done(Reply::of(format!("{verb} {id}: {now}."))))
            }
            Ok(Applied::Unchanged(why)) => Ok(Outcome::done(Reply::of(format!(
                "{verb} {id}: nothing to do, it {why}."
            )))),
            Err(ApplyError::Store(error)) => Err(error),
            Err(error) if decides => Ok(Outcome::refused(format!("{error}."))),
            Err(error) => Ok(Outcome::of("failed", Reply::of(format!("{error}.")))),
        }
    }

    async fn new_task(&self, text: &str, heard: &Heard) -> Result<Outcome, StoreError> {
        let instance = &self.open.instance;
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        let (id, title) = match first
            .split_once(':')
            .map(|(id, title)| (TaskId::parse(id.trim()), title))
        {
            Some((Ok(id), title)) => (id, title.trim()),
            _ => match TaskId::parse(&slug(first)) {
                Ok(id) => (id, first.trim()),
                Err(_) => {
                    return Ok(Outcome::of(
                        "unclear",
                        Reply::of("Write !new ID: TITLE, and below it what is to be done."),
                    ));
                }
            },
        };
        let description = match body.trim() {
            "" => title,
            body => body,
        };
        let mut fields = vec![("Description".to_owned(), description.to_owned())];
        if let Some(Purpose::Project(project)) = &heard.purpose {
            fields.push(("Project".to_owned(), project.clone()));
        }
        fields.push(("Status".to_owned(), "pending".to_owned()));
        let created = heard.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        fields.push(("Created".to_owned(), created));
        let task = NewTask {
            id: id.clone(),
            title: title.to_owned(),
            fields,
            body: String::new(),
        };
        Ok(match operations::add(instance, task).await {
            Ok(()) => {
                operations::flush(instance).await?;
                Outcome::done(Reply::of(format!(
                    "{id} is in the queue. Its card comes when it starts."
                )))
            }
            Err(AddError::Store(error)) => return Err(error),
            Err(error) => Outcome::of("failed", Reply::of(format!("{error}."))),
        })
    }
}

/// The commit that waits for a person; a decision is bound to it.
fn shown_commit(task: &Task) -> Option<String> {
    match &task.state {
        State::Blocked {
            block: Block::Approval { report, .. },
            ..
        } => Some(report.commit.clone()).filter(|commit| !commit.is_empty()),
        _ => None,
    }
}

fn gone(id: &TaskId) -> Outcome {
    Outcome::of("failed", Reply::of(format!("There is no task '{id}' any more.")))
}

fn or(words: String, otherwise: &str) -> String {
    match words.trim().is_empty() {
        true => otherwise.to_owned(),
        false => words,
    }
}

/// The first words, as an id.
fn slug(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let words: Vec<String> = words.take(WORDS).map(str::to_lowercase).collect();
    words.join("-").chars().take(60).collect()
}

fn nearest<'a>(name: &str, tasks: impl Iterator<Item = &'a Task>) -> String {
    let near = |task: &&Task| strsim::osa_distance(task.id.as_str(), name);
    let best = tasks.min_by_key(near).filter(|task| near(task) <= 3);
    let name = name.escape_debug();
    match best {
        Some(task) => format!("There is no task '{name}'; did you mean '{}'?", task.id),
        None => format!("There is no task '{name}'; !status lists them."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_words() {
        assert_eq!(
            slug("Mend the log-in page, please, today"),
            "mend-the-log-in-page"
        );
        assert_eq!(slug("¡¿?!"), "");
    }
}
