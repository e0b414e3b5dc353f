//! `sqledge-ha explain`.

use sqledge_ha_policy::rules::documentation::documentation;
use sqledge_ha_policy::rules::set_action;
use sqledge_ha_policy::settings::Settings;

use crate::exit::Failure;
use crate::other_tools;

/// Returns a rule's documentation in Markdown.
///
/// # Errors
/// [`Failure`] with exit code 2 and the most similar rule id, if the rule does not exist.
pub fn text(id: &str) -> Result<String, Failure> {
    let Some(rule) = sqledge_ha_policy::rules::find(id) else {
        // The settings have the error message for unknown rules.
        let message = set_action(&mut Settings::default(), id, "off").err();
        return Err(Failure::usage(message.unwrap_or_default()));
    };
    let (action, fix) = (rule.default_action.name(), rule.fixable.name());
    let (text, other_tools) = (documentation(rule), other_tools::section(id));
    Ok(format!(
        "{id}: {}\n\nLost without it: {}. Default action: {action}. Fix: {fix}.\n\n{}\n{other_tools}",
        rule.summary,
        rule.loss.name(),
        text.trim_end()
    ))
}
