//! The rules, the reader and the fixer for a browser: text and settings in, JSON out.
//!
//! The page calls [`Playground`] from a worker. Positions count UTF-16 code units from the start of the text, as
//! JavaScript does.
//!
//! | file | contents |
//! |---|---|
//! | `check` | the findings, the parse errors and the mistakes in the settings |
//! | `fix` | the fix of one finding, and the fixed text with its diff |
//! | `admission` | the answer that the cluster would give for each object |
//! | `rules`, `examples` | the documentation of the rules, and texts to begin with |
//! | `panics` | tells the page why the program stopped |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails when it panics"
    )
)]

mod admission;
mod check;
mod examples;
mod fix;
mod panics;
mod rules;

use serde::Serialize;
use sqledge_ha::fixer::AllowedFixes;
use sqledge_ha::policy_settings::PolicySettings;
use sqledge_ha_policy::view::Scope;
use wasm_bindgen::prelude::wasm_bindgen;

use self::check::{Checked, Input};

/// The checker of one page. It keeps the last text, so that fixes are computed only when they are asked for.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Playground {
    /// The last settings without a mistake.
    settings: PolicySettings,
    checked: Option<Checked>,
}

#[wasm_bindgen]
impl Playground {
    /// A checker without a text.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        panics::report();
        Playground::default()
    }

    /// Checks a text with settings in YAML, and returns a `check::Report` as JSON. With `partial`, the text is a part
    /// of an application. `today` is the date (YYYY-MM-DD) for ignore comments that expire.
    pub fn check(&mut self, text: String, settings: &str, partial: bool, today: &str) -> String {
        let settings_error = check::change_settings(&mut self.settings, settings);
        let scope = if partial { Scope::Part } else { Scope::Application };
        let checked = Checked::new(Input { text, settings: self.settings.clone(), scope, today });
        let report = checked.report(settings_error);
        self.checked = Some(checked);
        json(&report)
    }

    /// Returns the change that fixes the finding with this index as JSON, or why it cannot be fixed.
    pub fn quick_fix(&self, finding: usize) -> String {
        json(&self.checked.as_ref().map(|checked| fix::of_finding(checked, finding)))
    }

    /// Returns the change that adds a comment which ignores the finding with this index, as JSON, or why there is none.
    pub fn ignore(&self, finding: usize) -> String {
        json(&self.checked.as_ref().map(|checked| fix::ignore(checked, finding)))
    }

    /// Fixes the text, and returns a `fix::Fixed` as JSON; with `unsafe_too`, also by fixes that can move or delete
    /// data.
    pub fn fix(&self, unsafe_too: bool) -> String {
        let allowed = if unsafe_too { AllowedFixes::UnsafeToo } else { AllowedFixes::SafeOnly };
        json(&self.checked.as_ref().map(|checked| fix::all(checked, allowed)))
    }

    /// Returns the `admission::Answers` for the objects in the text as JSON.
    pub fn admission(&self) -> String {
        json(&self.checked.as_ref().map(admission::answers))
    }
}

/// The documentation of every rule as JSON.
#[wasm_bindgen]
pub fn rules() -> String {
    json(&rules::all())
}

/// The examples as JSON.
#[wasm_bindgen]
pub fn examples() -> String {
    json(&examples::EXAMPLES)
}

/// The version of the rules.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The settings with their defaults, as YAML with comments.
#[wasm_bindgen]
pub fn settings_with_defaults() -> String {
    sqledge_ha::policy_settings::yaml()
}

/// A value of our own types, which always serializes.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
