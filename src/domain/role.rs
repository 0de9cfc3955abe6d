//! Who may do what: three roles, each of which may do all that the one before it may.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// See everything.
    Viewer,
    /// And steer tasks.
    Operator,
    /// And what concerns everybody's: stopping all, and settings.
    Owner,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Owner];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }
}

/// Who has which role: everywhere, and in single projects. Whoever is not named has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    everywhere: BTreeMap<String, Role>,
    of_project: BTreeMap<String, BTreeMap<String, Role>>,
}

impl Roles {
    /// Gives somebody, by full id, a role: in a project, or everywhere. Of two for the same the higher one counts.
    pub fn give(&mut self, project: Option<&str>, id: &str, role: Role) {
        let roles = match project {
            None => &mut self.everywhere,
            Some(project) => self.of_project.entry(project.to_owned()).or_default(),
        };
        let given = roles.entry(id.to_owned()).or_insert(role);
        *given = role.max(*given);
    }

    /// The role that an id has in a project, or, without one, in what concerns the whole instance.
    pub fn of(&self, id: &str, project: Option<&str>) -> Option<Role> {
        let there = project.and_then(|project| self.of_project.get(project)?.get(id));
        self.everywhere.get(id).max(there).copied()
    }

    /// Whether an id has any role anywhere.
    pub fn knows(&self, id: &str) -> bool {
        self.everywhere.contains_key(id) || self.of_project.values().any(|roles| roles.contains_key(id))
    }

    /// Everybody who has a role anywhere.
    pub fn people(&self) -> BTreeSet<&str> {
        let of_projects = self.of_project.values().flat_map(BTreeMap::keys);
        self.everywhere
            .keys()
            .chain(of_projects)
            .map(String::as_str)
            .collect()
    }

    /// Everybody who has a role in a project, or, without one, in what concerns the whole instance.
    pub fn people_of(&self, project: Option<&str>) -> BTreeSet<&str> {
        let there = project.and_then(|project| self.of_project.get(project));
        let there = there.into_iter().flat_map(BTreeMap::keys);
        self.everywhere.keys().chain(there).map(String::as_str).collect()
    }

    /// Everybody who has this role everywhere.
    pub fn everywhere(&self, role: Role) -> impl Iterator<Item = &str> {
        let of = self.everywhere.iter().filter(move |(_, has)| **has == role);
        of.map(|(id, _)| id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_counts_where_it_was_given() {
        let mut roles = Roles::default();
        roles.give(None, "@eve:h", Role::Viewer);
        roles.give(Some("site"), "@eve:h", Role::Operator);
        roles.give(Some("site"), "@bob:h", Role::Viewer);
        roles.give(None, "@jane:h", Role::Owner);
        let rows = [
            ("@eve:h", None, Some(Role::Viewer)),
            ("@eve:h", Some("site"), Some(Role::Operator)),
            ("@eve:h", Some("other"), Some(Role::Viewer)),
            ("@bob:h", None, None),
            ("@bob:h", Some("site"), Some(Role::Viewer)),
            ("@jane:h", Some("site"), Some(Role::Owner)),
            // Ids are compared whole: neither a part of one nor another case of it is the same.
            ("@jane", Some("site"), None),
            ("@Jane:h", None, None),
            ("", None, None),
        ];
        for (id, project, role) in rows {
            assert_eq!(roles.of(id, project), role, "{id} {project:?}");
        }
        assert!(roles.knows("@bob:h") && !roles.knows("@mallory:h"));
        assert_eq!(roles.everywhere(Role::Owner).collect::<Vec<_>>(), ["@jane:h"]);
    }

    #[test]
    fn the_higher_one_of_two_counts_and_roles_have_an_order() {
        let mut roles = Roles::default();
        roles.give(None, "a", Role::Owner);
        roles.give(None, "a", Role::Viewer);
        assert_eq!(roles.of("a", None), Some(Role::Owner));
        assert!(Role::ALL.is_sorted());
    }
}
