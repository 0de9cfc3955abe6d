use super::*;
use crate::cli::render::fixtures::{before, look, mixed, now, problem, running, status as view, task};
use crate::service::view::{BusView, ServiceView, Stopped, WaitingView};

fn page(width: usize) -> String {
    status(&mixed(), RECENT, &look(width))
}

#[test]
fn nothing_to_do_yet() {
    let mut empty = view(Vec::new());
    empty.service = ServiceView::default();
    insta::assert_snapshot!("empty", status(&empty, RECENT, &look(100)));
}

#[test]
fn one_of_every_kind() {
    insta::assert_snapshot!("mixed", page(120));
}

#[test]
fn with_titles_on_a_wide_screen() {
    insta::assert_snapshot!("wide", page(160));
}

#[test]
fn narrow_screens_keep_what_matters() {
    insta::assert_snapshot!("narrow", page(60));
}

#[test]
fn problems_come_first() {
    let mut mixed = view(vec![running("add-api")]);
    mixed.service.stopped = Some(Stopped {
        by: "ada".into(),
        at: before(180),
    });
    let second = "cannot read the status 'foo' of this task, so it waits until that is put right";
    mixed.problems = vec![
        problem(30, 1, "warning", "the task has no description", None),
        problem(
            12,
            13,
            "error",
            second,
            Some("write one of: pending, paused, completed, cancelled"),
        ),
    ];
    insta::assert_snapshot!("problems", status(&mixed, RECENT, &look(80)));
}

#[test]
fn the_bus_is_told_where_one_is_configured() {
    let mut view = view(vec![]);
    assert!(!status(&view, RECENT, &look(80)).contains("bus"));
    let bus = BusView {
        standing: "up".into(),
        since: Some(before(60)),
        why: None,
        means: None,
    };
    view.bus = Some(bus.clone());
    assert!(status(&view, RECENT, &look(200)).contains(" · bus up\n"));
    view.bus = Some(BusView {
        standing: "away".into(),
        why: Some("h:1: re\u{1b}[31mfused\nx".into()),
        means: Some("work goes on".into()),
        ..bus
    });
    let page = status(&view, RECENT, &look(200));
    let line = page
        .lines()
        .find(|line| line.starts_with("bus away since "))
        .unwrap();
    assert!(
        line.ends_with("; work goes on") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

#[test]
fn hostile_fields_stay_text() {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}x\r\ny\u{202e}z\u{9b}31m";
    let mut task = running("fix");
    task.id = format!("id{evil}");
    task.phase = Some(evil.repeat(40));
    task.tier = Some(evil.into());
    let mut view = view(vec![task]);
    view.problems = vec![problem(1, 1, evil, evil, Some(evil))];
    view.service.stopped = Some(Stopped {
        by: evil.into(),
        at: now(),
    });
    let page = status(&view, RECENT, &look(100));
    assert!(!page.chars().any(|c| c != '\n' && c.is_control()), "{page:?}");
    insta::assert_snapshot!("hostile", page);
}

#[test]
fn wide_letters_align() {
    let mut one = running("日本語の課題-とても長い名前のタスクです-まだ続く");
    one.phase = Some("テストを書いています🎉 ⚠️ done".into());
    let two = running("kurz");
    insta::assert_snapshot!("unicode", status(&view(vec![one, two]), RECENT, &look(90)));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in 40..200 {
        for line in page(width).lines() {
            assert!(text::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colour_only_adds_escape_sequences() {
    let plain = page(100);
    let coloured = status(
        &mixed(),
        RECENT,
        &Look {
            color: true,
            ..look(100)
        },
    );
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn old_finished_tasks_are_counted_not_shown() {
    let done: Vec<_> = (0..9).map(|n| task(&format!("d{n}"), "completed")).collect();
    let view = view(done);
    let some = status(&view, RECENT, &look(80));
    assert!(
        some.contains("Done (the last 5 of 9)") && some.contains("status --all"),
        "{some}"
    );
    let all = status(&view, usize::MAX, &look(80));
    assert!(
        all.contains("Done (9)") && all.contains("d8") && !all.contains("--all"),
        "{all}"
    );
}

#[test]
fn where_the_document_leaves_out_earlier_ones_no_total_is_claimed() {
    let done: Vec<_> = (0..9).map(|n| task(&format!("d{n}"), "completed")).collect();
    let view = Status {
        more_ended: true,
        ..view(done)
    };
    let page = status(&view, RECENT, &look(80));
    assert!(
        page.contains("the last 9 done") && page.contains("Done (the last 5)"),
        "{page}"
    );
    assert!(!page.contains("of 9") && !page.contains("9 tasks"), "{page}");
}

#[test]
fn waiting_tasks_say_until_when() {
    let mut task = task("x", "pending");
    task.waiting = WaitingView {
        until: Some(before(-60)),
        ..crate::cli::render::fixtures::waiting("quota", "429")
    };
    let page = status(&view(vec![task]), RECENT, &look(80));
    assert!(page.contains("quota") && page.contains("in 1m: 429"), "{page}");
}
