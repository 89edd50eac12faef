//! `race`: what happens at one instant, in all orders. An axis.

use std::collections::BTreeMap;

use super::error::{Sink, Span};
use super::reader::Reader;
use super::tree::{Kind, Node};
use crate::plan::{Action, Command, Step, StepKind};

/// How many steps a race may have: 5 have 120 orders.
const MOST: usize = 5;

/// For each race of a run, in which order its steps come.
pub(super) type Orders = BTreeMap<Span, Vec<usize>>;

/// A race as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Race {
    /// Where its list stands.
    pub(super) span: Span,
    /// How many steps it has.
    steps: usize,
}

/// All races of a story, in the order of the file.
pub(super) fn races(steps: &Node, sink: &Sink) -> Vec<Race> {
    let mut found = Vec::new();
    collect(steps, sink, &mut found);
    found
}

fn collect(steps: &Node, sink: &Sink, found: &mut Vec<Race>) {
    let Kind::List(items) = &steps.kind else { return };
    for (key, value) in items.iter().flat_map(Node::entries) {
        match (key.text(), &value.kind) {
            (Some("race"), Kind::List(items)) if (2..=MOST).contains(&items.len()) => {
                found.push(Race { span: value.span, steps: items.len() });
            }
            (Some("race"), Kind::Broken) => {}
            (Some("race"), _) => {
                let message =
                    format!("a race is a list of 2 to {MOST} steps, as in `[ {{ a: crash }}, {{ b: crash }} ]`");
                sink.push(value.span, message, None);
            }
            (Some("repeat" | "every"), _) => {
                value.get("steps").into_iter().for_each(|inner| collect(inner, sink, found))
            }
            _ => {}
        }
    }
}

impl Race {
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

impl Reader<'_> {
    /// The steps of a race in the order of this run.
    pub(super) fn race(&self, node: &Node, steps: Vec<Vec<Step>>) -> Option<Vec<Step>> {
        let order = self.races.get(&node.span)?;
        for step in steps.iter().flatten() {
            if let Some(word) = takes_time(&step.kind) {
                let span = Span { start: step.position, end: step.position };
                let message = format!("`{word}` takes time, so it cannot be in a race; do it before or afterwards");
                self.sink.push(
                    Span { end: crate::plan::Position { column: span.end.column + 1, ..span.end }, ..span },
                    message,
                    None,
                );
                return None;
            }
        }
        let mut steps: Vec<_> = steps.into_iter().map(Some).collect();
        order.iter().map(|index| steps.get_mut(*index)?.take()).collect::<Option<Vec<_>>>().map(|steps| steps.concat())
    }
}

/// What of a step does not happen at one instant.
fn takes_time(step: &StepKind) -> Option<&'static str> {
    match step {
        StepKind::Wait(_) => Some("wait"),
        StepKind::At(_) => Some("at"),
        StepKind::Repeat { .. } => Some("repeat"),
        StepKind::Every { .. } => Some("every"),
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
            Race { span: Span::default(), steps: 3 }.orders().iter().map(|order| shown(order)).collect();
        assert_eq!(orders, ["1-2-3", "1-3-2", "2-1-3", "2-3-1", "3-1-2", "3-2-1"]);
    }
}
