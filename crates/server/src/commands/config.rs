//! `mycars config show`: print all settings.

use crate::{console::Console, error::CommandError, settings::Settings};

pub(super) fn show(with_sources: bool, console: &mut dyn Console) -> Result<(), CommandError> {
    let mut section = String::new();
    for setting in Settings::shown_of_process()? {
        if setting.section != section {
            console.print(&format!("\n[{}]", setting.section));
            section = setting.section;
        }
        let line = format!("{} = {}", setting.name, setting.value);
        console.print(&if with_sources {
            format!("{line}  # {}", setting.source)
        } else {
            line
        });
    }
    Ok(())
}
