//! `[approvals]`: when a person's word is asked for, and whose counts.

use std::num::NonZeroU32;
use std::time::Duration;

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::setting::words;
use crate::domain::approval::Rules;

/// `[approvals]`.
#[derive(Debug, Clone)]
pub struct Approvals {
    /// What the settings come to.
    pub rules: Rules,
}

/// When a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Where the gate, a job or a task asks for it.
    Off,
    /// Always, unless a job or a task says otherwise.
    On,
}

words!(Mode { "off" => Off, "on" => On });

/// Green work goes on by itself.
fn mode() -> Mode {
    Mode::Off
}

/// Whoever can command here.
fn people() -> Vec<String> {
    Vec::new()
}

/// One pair of eyes.
fn eyes() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Long enough for a holiday.
fn expires() -> Duration {
    Rules::default().expires
}

impl Approvals {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let rules = Rules {
            required: section.get("mode", mode) == Mode::On,
            people: section.get("people", people),
            eyes: section.get("eyes", eyes).get(),
            expires: section.get_if("expires", expires, longer_than_zero),
        };
        let people = rules.people.len();
        if people > 0 && people < rules.eyes as usize {
            let at = section.origin_of("eyes");
            let message = "approvals.eyes asks for more people than approvals.people names";
            section.fault(at, message, None);
        }
        Self { rules }
    }
}
