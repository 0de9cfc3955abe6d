//! `[projects.NAME]`: what a project may have of the worker slots.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::config::reader::Section;
use crate::domain::share::ProjectPolicy;

/// As any other one.
fn weight() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Reads all of them.
pub(in crate::config) fn read_all(root: &mut Section<'_, '_>) -> BTreeMap<String, ProjectPolicy> {
    let names = root.names("projects").into_iter().map(|(name, _)| name);
    let project = |name: String| (name.clone(), root.named("projects", &name, read));
    names.map(project).collect()
}

fn read(section: &mut Section<'_, '_>) -> ProjectPolicy {
    ProjectPolicy {
        weight: section.get_if("weight", weight, comparable).get(),
        max_concurrent: section.maybe::<NonZeroU32>("max_concurrent").map(NonZeroU32::get),
    }
}

/// Beyond this a weight says "always first", and that is what priorities are for.
fn comparable(weight: &NonZeroU32) -> Result<(), String> {
    match weight.get() {
        1..=1000 => Ok(()),
        _ => Err("must be between 1 and 1000".to_owned()),
    }
}
