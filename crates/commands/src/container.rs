//! Commands that only hold subcommands, and the HELP each of them has.
//!
//! HELP is read off the table: a line for each subcommand with its syntax, then its summary. So a new
//! subcommand is in the help by being in its group's list.

use stoa_command::{Flags, Spec};
use stoa_engine::Entry;

/// The row of a container: the lookup goes on to its subcommands, so nothing of it ever runs.
pub(crate) const fn container(spec: Spec) -> Entry {
    Entry {
        spec: Spec { flags: spec.flags.with(Flags::CONTAINER), ..spec },
        execute: |_, _, _| unreachable!("a container does nothing by itself"),
        check: |_| Ok(()),
        collect: |_, _| unreachable!("a container does nothing by itself"),
        merge: |_, _, _, _| unreachable!("a container does nothing by itself"),
    }
}

/// The row of a container's HELP.
pub(crate) const fn help(spec: Spec) -> Entry {
    Entry {
        spec,
        execute: |args, ctx, reply| {
            let table = ctx.node.table;
            let name = args.at(0).unwrap_or_default();
            let index = table.find(name).expect("a subcommand was found through its container");
            let mut lines = vec![format!(
                "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                table.at(index).spec.name.to_ascii_uppercase()
            )];
            for child in table.children(index) {
                let name = child.spec.own_name().to_ascii_uppercase();
                lines.push(format!("{name} {}", usage(child.spec.syntax)).trim_end().to_owned());
                lines.push(format!("    {}", child.spec.summary));
            }
            reply.array(lines.len());
            lines.iter().for_each(|line| reply.simple(line));
            Ok(())
        },
        check: |args| args.end(),
        collect: |_, _| unreachable!("help runs at home"),
        merge: |_, _, _, _| unreachable!("help runs at home"),
    }
}

/// A syntax line for people: without the labels and types that tools read.
fn usage(syntax: &str) -> String {
    let mut text = String::new();
    for word in syntax.split_whitespace() {
        let open: String = word.chars().take_while(|c| "[(".contains(*c)).collect();
        let shown = match word.split_once(':') {
            Some((_, "")) => open.as_str(),
            Some((name, kind)) => {
                let close = kind.find([']', ')', '.']).map_or("", |at| &kind[at..]);
                text.push_str(name);
                close
            }
            None => word,
        };
        text.push_str(shown);
        if !shown.is_empty() && shown.len() == open.len() {
            continue;
        }
        text.push(' ');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::usage;

    #[test]
    fn what_only_tools_read_is_left_out() {
        for (syntax, shown) in [
            ("key value [GET]", "key value [GET]"),
            ("[condition: NX | XX] (data: key value)...", "[NX | XX] (key value)..."),
            ("[expiration: EX seconds:integer | KEEPTTL]", "[EX seconds | KEEPTTL]"),
            ("protover:integer", "protover"),
            ("[auth: AUTH username password] [id:integer...]", "[AUTH username password] [id...]"),
        ] {
            assert_eq!(usage(syntax), shown);
        }
    }
}
