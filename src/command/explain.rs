//! `sqledge-ha explain`.

use sqledge_ha_policy::rules::documentation::documentation;
use sqledge_ha_policy::settings::Settings;

use crate::exit::Failure;

/// What there is to know about a rule, as Markdown.
///
/// # Errors
/// [`Failure`] with exit code 2 and the nearest right name, if there is no such rule.
pub fn text(id: &str) -> Result<String, Failure> {
    let Some(rule) = sqledge_ha_policy::rules::find(id) else {
        // The settings know how to say that a rule does not exist.
        let message = Settings::default().set_action(id, "off").err();
        return Err(Failure::usage(message.unwrap_or_default()));
    };
    let (action, fix) = (rule.default_action.name(), rule.fixable.name());
    let text = documentation(rule);
    Ok(format!("{id}: {}\n\nDefault action: {action}. Fix: {fix}.\n\n{text}\n", rule.summary))
}
