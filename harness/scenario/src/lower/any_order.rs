//! `any_order`: what happens at one instant, in all orders. An axis.

use std::collections::BTreeMap;

use super::Lower;
use crate::ast::{AnyOrderSteps, File, FilledSteps, Fragment, Param, StepKind as NodeKind, StepWord, Steps, value_of};
use crate::error::Span;
use crate::plan::{Action, Command, Position, Step, StepKind};

/// The order of the steps of each `any_order` of a run.
pub(super) type Orders = BTreeMap<Span, Vec<usize>>;

/// An `any_order` as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permuted {
    /// The place of its list.
    pub(super) span: Span,
    /// Number of steps that it has.
    steps: usize,
}

/// Every `any_order` in the stories of a file and its fragments, in the order in which they are told.
pub(super) fn permuted(file: &File, fragments: &[Fragment]) -> Vec<Permuted> {
    let mut found = Vec::new();
    let stories = fragments.iter().map(|fragment| &fragment.steps).chain([&file.steps]);
    for steps in stories.filter_map(|steps| value_of(steps)?.literal()) {
        collect(steps, &mut found);
    }
    found
}

fn collect(steps: &Steps, found: &mut Vec<Permuted>) {
    for step in steps.0.iter().filter_map(Param::literal) {
        let NodeKind::Word(word) = &step.kind else { continue };
        match word {
            StepWord::AnyOrder(steps) => {
                let steps = steps.literal();
                found.extend(steps.map(|list| Permuted { span: list.place.span, steps: list.steps.len() }));
            }
            StepWord::Repeat(repeat) => within(repeat.literal().and_then(|repeat| value_of(&repeat.steps)), found),
            StepWord::Every(every) => within(every.literal().and_then(|every| value_of(&every.steps)), found),
            _ => {}
        }
    }
}

fn within(steps: Option<&Param<FilledSteps>>, found: &mut Vec<Permuted>) {
    if let Some(steps) = steps.and_then(Param::literal) {
        collect(&steps.0, found);
    }
}

impl Permuted {
    /// All orders, that of the file first.
    pub(super) fn orders(self) -> Vec<Vec<usize>> {
        let mut orders = vec![Vec::new()];
        for _ in 0..self.steps {
            let longer = |order: &Vec<usize>| {
                let rest = (0..self.steps).filter(|step| !order.contains(step)).collect::<Vec<_>>();
                rest.into_iter().map(|step| order.iter().copied().chain([step]).collect()).collect::<Vec<Vec<_>>>()
            };
            orders = orders.iter().flat_map(longer).collect();
        }
        orders
    }
}

/// `2-1`: the second step before the first.
pub(super) fn shown(order: &[usize]) -> String {
    order.iter().map(|step| (step + 1).to_string()).collect::<Vec<_>>().join("-")
}

impl Lower<'_> {
    /// Returns the steps of an `any_order` in the order of this run.
    pub(super) fn in_order_of_run(&self, list: &AnyOrderSteps, steps: Vec<Step>) -> Option<Vec<Step>> {
        let Some(order) = self.run.orders.get(&list.place.span) else {
            self.error(&list.place, "`any_order` stands in `steps`, `repeat` or `every`; not in `when` or `whenever`, and no parameter stands for it");
            return None;
        };
        for step in &steps {
            if let Some(word) = takes_time(&step.kind) {
                let start = self.origins.borrow().step(step.id);
                let end = Position { column: start.column + 1, ..start };
                let message =
                    format!("`{word}` takes time, so it cannot be in `any_order`; do it before or afterwards");
                self.diagnostics().push(Span { start, end }, message, None);
                return None;
            }
        }
        let mut steps: Vec<_> = steps.into_iter().map(Some).collect();
        order.iter().map(|index| steps.get_mut(*index)?.take()).collect()
    }
}

/// Returns what of a step does not happen at one instant.
fn takes_time(step: &StepKind) -> Option<&'static str> {
    match step {
        StepKind::Wait(_) => Some("wait"),
        StepKind::At(_) => Some("at"),
        StepKind::Repeat { .. } => Some("repeat"),
        StepKind::Every { .. } => Some("every"),
        StepKind::Whenever { .. } => Some("whenever"),
        StepKind::Node { actions, .. } => {
            actions.iter().filter_map(Action::command).find_map(|command| match command {
                Command::Connect(_) => Some("connect"),
                Command::Open => Some("open"),
                Command::Subscribe { .. } => Some("subscribe"),
                Command::Unsubscribe(_) => Some("unsubscribe"),
                Command::Receive(_) => Some("receive"),
                _ => None,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_steps_have_six_orders_that_of_the_file_first() {
        let orders: Vec<_> =
            Permuted { span: Span::default(), steps: 3 }.orders().iter().map(|order| shown(order)).collect();
        assert_eq!(orders, ["1-2-3", "1-3-2", "2-1-3", "2-3-1", "3-1-2", "3-2-1"]);
    }
}
