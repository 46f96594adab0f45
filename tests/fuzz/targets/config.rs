//! The text of a UCI file: whatever it is, the parser neither panics nor shows a password nor
//! accepts nonsense.

use std::collections::HashSet;

use pptp::config::{Config, Problems};
use pptp::limits;

/// Mutated text may hold the words of a password anywhere, so nobody looks for them here.
pub fn config(text: &[u8]) {
    let mut warnings = Problems::default();
    let config = Config::parse(text, &mut warnings);
    check_places(text, &warnings);
    match &config {
        Ok(config) => check_config(config),
        Err(errors) => check_places(text, errors),
    }
}

/// Lines that exist, and words that a terminal can bear.
pub fn check_places(text: &[u8], problems: &Problems) {
    let lines = 1 + text.iter().filter(|&&octet| octet == b'\n').count();
    assert!(problems.iter().all(|problem| (1..=lines).contains(&(problem.line as usize))));
    let said = problems.to_string();
    assert!(!said.contains(|character: char| character != '\n' && character.is_control()));
}

pub fn check_config(config: &Config) {
    assert!(config.pool.first <= config.pool.last && config.pool.count() <= limits::POOL);
    assert_eq!(config.pool.offset(config.local_ip), None);
    assert!(!config.listen.is_empty() && !config.name.is_empty() && !config.device.is_empty());
    assert!((576..=1456).contains(&config.mtu));
    assert!((1..=limits::SESSIONS).contains(&config.max_sessions.into()));
    let names: HashSet<_> = config.users.iter().map(|user| &user.name).collect();
    assert!(names.len() == config.users.len() && names.iter().all(|name| !name.is_empty()));
    let addresses: Vec<_> = config.users.iter().filter_map(|user| user.ip).collect();
    assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), addresses.len());
    assert!(!addresses.contains(&config.local_ip));
}
