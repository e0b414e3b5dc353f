//! `sqledge-ha explain`.

use sqledge_ha_policy::rules::set_action;
use sqledge_ha_policy::settings::Settings;

use crate::exit::CommandError;
use crate::rule_docs;

/// Returns a rule's documentation in Markdown.
///
/// # Errors
/// [`CommandError`] with exit code 2 and the most similar rule id, if the rule does not exist.
pub fn text(id: &str) -> Result<String, CommandError> {
    let Some(rule) = sqledge_ha_policy::rules::find(id) else {
        // The settings have the error message for unknown rules.
        let message = set_action(&mut Settings::default(), id, "off").err();
        return Err(CommandError::usage(message.unwrap_or_default()));
    };
    Ok(rule_docs::explanation(rule))
}
