use super::Position;

/// Names a step within its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// Names an expectation within its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpectationId(pub u32);

/// The places in its files at which the parts of a plan stand.
///
/// Several parts may stand in one place: a line about a group is an expectation for each of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    steps: Vec<Position>,
    expectations: Vec<Position>,
}

impl Origins {
    /// Names a step that stands at a position.
    pub fn add_step(&mut self, position: Position) -> StepId {
        self.steps.push(position);
        StepId(number(self.steps.len()))
    }

    /// Names an expectation that stands at a position.
    pub fn add_expectation(&mut self, position: Position) -> ExpectationId {
        self.expectations.push(position);
        ExpectationId(number(self.expectations.len()))
    }

    /// Returns where a step stands; line 0 if it stands nowhere.
    pub fn step(&self, id: StepId) -> Position {
        self.steps.get(id.0 as usize).copied().unwrap_or_default()
    }

    /// Returns where an expectation stands; line 0 if it stands nowhere.
    pub fn expectation(&self, id: ExpectationId) -> Position {
        self.expectations.get(id.0 as usize).copied().unwrap_or_default()
    }
}

/// Returns the number of the last of `len` parts, from 0.
fn number(len: usize) -> u32 {
    u32::try_from(len - 1).expect("fewer than four billion parts in a plan")
}
