use super::model::{Finding, RunRecord};

/// Finds waivers that waive nothing: the invariant holds in every run of the file.
///
/// A waiver is about the whole file, so it can only be judged when all of its runs are over.
#[derive(Debug, Default)]
pub struct Waivers(Vec<Noted>);

#[derive(Debug)]
struct Noted {
    file: String,
    invariant: String,
    finding: Finding,
    is_needed: bool,
}

impl Waivers {
    /// Notes a run.
    pub fn add(&mut self, run: &RunRecord) {
        for waiver in &run.waived {
            let is_it = |noted: &&mut Noted| noted.file == run.file && noted.invariant == waiver.invariant;
            match self.0.iter_mut().find(is_it) {
                Some(noted) => noted.is_needed |= waiver.is_needed,
                None => {
                    let invariant = waiver.invariant.clone();
                    let why = format!("`{invariant}` holds in all runs of the file; there is nothing to waive");
                    let finding = Finding { why: Some(why), ..waiver.place.clone() };
                    self.0.push(Noted { file: run.file.clone(), invariant, finding, is_needed: waiver.is_needed });
                }
            }
        }
    }

    /// Returns those that were needed in no run.
    pub fn idle(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|noted| !noted.is_needed).map(|noted| &noted.finding)
    }
}
