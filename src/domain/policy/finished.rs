//! What work must go through that its worker says is finished, and where it goes then.

use super::super::definition::Definition;
use super::super::stage::Destination;
use super::Policy;

impl Policy {
    /// Whether green work of this definition waits for a person all the same; of a sub-task only where it says so.
    pub fn asks_person(&self, definition: &Definition) -> bool {
        let usual = || self.approvals.required && definition.parent.is_none();
        definition.approval.unwrap_or_else(usual)
    }

    /// Whether another model looks at the work of a task before it is accepted.
    pub fn reviews(&self, definition: &Definition) -> bool {
        definition.reviewed.unwrap_or(self.review.on)
    }

    /// Where the work of a task goes. A sub-task's goes into its parent's, which the parent's own attempts see to.
    pub fn destination(&self, definition: &Definition) -> Destination {
        match definition.parent {
            Some(_) => Destination::Branch,
            None => definition.landing.unwrap_or(self.landing),
        }
    }
}
