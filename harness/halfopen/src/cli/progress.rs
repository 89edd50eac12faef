use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Returns a bar of this look on a terminal, or something that turns if it is not known how much there is to do. Elsewhere
/// it shows nothing.
pub(super) fn progress(total: Option<u64>, template: &str) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
