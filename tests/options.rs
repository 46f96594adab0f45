//! The README's table of options is the program's own. `UPDATE_README=1 cargo test --test options`
//! writes it anew.

use std::fmt::Write;
use std::fs;

use pptp::config::options;

const BEGIN: &str =
    "<!-- options: written by tests/options.rs, which compares this table with the program -->\n";
const END: &str = "<!-- options end -->\n";

fn table() -> String {
    let mut text = String::new();
    for section in options::ALL {
        writeln!(text, "\n`config {}`:\n", section.kind).unwrap();
        writeln!(text, "| option | default | allowed | meaning |\n|---|---|---|---|").unwrap();
        for row in section.rows {
            let default = if row.default.is_empty() { "" } else { &format!("`{}`", row.default) };
            let list = if row.field.is_list() { " (list)" } else { "" };
            let allowed = row.field.to_string().replace('|', "or");
            writeln!(text, "| `{}`{list} | {default} | {allowed} | {} |", row.name, row.help)
                .unwrap();
        }
    }
    text + "\n"
}

#[test]
fn the_readme_lists_every_option() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (found, after) = rest.split_once(END).expect("the table's end");
    let wanted = table();
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path, [before, BEGIN, &wanted, END, after].concat()).unwrap();
    } else {
        assert_eq!(found, wanted, "UPDATE_README=1 cargo test --test options");
    }
}
