//! Prints a drawn story.
fn main() {
    let run = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let file = halfopen_explore::story(halfopen_explore::seed_of(1, run), true);
    println!("{}", file.to_yaml(&halfopen_scenario::Comments::default()));
    let plan = halfopen_explore::plan_of_story(&file).unwrap();
    let target = halfopen_explore::Target { defect: std::env::args().nth(2).map(|it| it.parse().unwrap()) };
    let trace = target.record(&plan).unwrap();
    println!("{}", halfopen_plan::trace::text(&plan, &trace));
    for finding in target.judge(&plan).findings { println!("FOUND {}: {} | {}", finding.kind.invariant, finding.expected, finding.actual); }
}
