//! The bar of long work. On a terminal it is drawn; elsewhere it is hidden and says nothing, so that `--json` and logs
//! stay clean. Drawn on standard error.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` things named `what`.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed_precise} (left {eta})");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
