use super::scene::Head;
use crate::plan::{NodeId, Plan, Program};

/// The left edge of the steps.
pub(super) const STORY: i32 = 8;
/// Width of the steps.
pub(super) const STORY_WIDTH: i32 = 150;
/// The right edge of the times.
pub(super) const RULER: i32 = 212;
/// The middle of the first lane.
const FIRST: i32 = 264;
/// Distance from the last lane to the expectations.
const AFTER: i32 = 44;
/// Width of the expectations.
pub(super) const EXPECTED_WIDTH: i32 = 260;
/// Number of nodes above which a group shares a lane.
const MANY: usize = 16;

/// The lane of each node. Brokers stand in the middle, so that packets of two clients do not cross.
pub(super) struct Lanes {
    heads: Vec<Head>,
    of_node: Vec<usize>,
    gap: i32,
    is_grouped: bool,
}

impl Lanes {
    pub(super) fn new(plan: &Plan) -> Self {
        let is_grouped = plan.nodes.len() > MANY;
        let mut names: Vec<(String, &'static str, usize)> = Vec::new();
        let mut of_node = Vec::new();
        for node in &plan.nodes {
            let name = node.name.split('.').next().filter(|_| is_grouped).unwrap_or(&node.name);
            let known = names.iter().position(|(other, ..)| other == name);
            let lane = known.unwrap_or_else(|| {
                names.push((name.to_owned(), role(&node.program), 0));
                names.len() - 1
            });
            names[lane].2 += 1;
            of_node.push(lane);
        }
        let is_broker = |lane: &usize| names[*lane].1.contains("broker");
        let (brokers, others): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(is_broker);
        let (left, right) = others.split_at(others.len().div_ceil(2));
        let order: Vec<usize> = left.iter().chain(&brokers).chain(right).copied().collect();
        let gap = match order.len() {
            0..=2 => 330,
            3 => 225,
            4..=5 => 205,
            _ => 160,
        };
        let heads = (0..).zip(&order).map(|(place, &lane)| {
            let (name, role, count) = &names[lane];
            let name = if *count > 1 { format!("{name} × {count}") } else { name.clone() };
            Head { x: FIRST + gap * place, name, role: (*role).to_owned() }
        });
        let heads = heads.collect();
        let place = |lane: usize| order.iter().position(|other| *other == lane).unwrap_or_default();
        let of_node = of_node.into_iter().map(place).collect();
        Self { heads, of_node, gap, is_grouped }
    }

    /// The middle of a node's lane.
    pub(super) fn x(&self, node: NodeId) -> i32 {
        self.of_node.get(node.0).map_or(FIRST, |&lane| self.heads[lane].x)
    }

    /// Returns the place of a node's lane among all lanes.
    pub(super) fn lane(&self, node: NodeId) -> usize {
        self.of_node.get(node.0).copied().unwrap_or_default()
    }

    /// Returns the heads of the lanes alone.
    pub(super) fn heads_of_lanes(&self) -> &[Head] {
        &self.heads
    }

    /// Returns whether the members of a group share a lane.
    pub(super) fn is_grouped(&self) -> bool {
        self.is_grouped
    }

    /// The distance between neighbours.
    pub(super) fn gap(&self) -> i32 {
        self.gap
    }

    /// Returns the first lane and the last.
    pub(super) fn range(&self) -> (i32, i32) {
        (FIRST, self.heads.last().map_or(FIRST, |head| head.x))
    }

    /// Returns where what is expected stands.
    pub(super) fn expected(&self) -> i32 {
        self.range().1 + AFTER
    }

    /// Returns on which side of a lane the other node is: -1 left, 1 right.
    pub(super) fn side(&self, of: NodeId, other: NodeId) -> i32 {
        if self.x(other) < self.x(of) { -1 } else { 1 }
    }

    /// Returns how wide all of it is.
    pub(super) fn width(&self) -> i32 {
        self.expected() + EXPECTED_WIDTH
    }

    /// The heads of all columns, lanes in their order.
    pub(super) fn heads(&self) -> Vec<Head> {
        let column = |x: i32, name: &str| Head { x, name: name.to_owned(), role: String::new() };
        let mut heads = vec![column(STORY, "script"), column(RULER - 42, "time, s")];
        heads.extend(self.heads.iter().cloned());
        heads.push(column(self.expected() + 12, "expected"));
        heads
    }
}

fn role(program: &Program) -> &'static str {
    match program {
        Program::Broker(_) => "broker",
        Program::Client(_) => "client",
        _ => "raw client",
    }
}
