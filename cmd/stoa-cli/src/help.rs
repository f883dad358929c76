//! `help` and `?` at the prompt.

use crate::docs::{CommandDoc, Docs};

/// What `help` alone says.
pub(crate) fn general() -> String {
    format!(
        "stoa-cli {}\n\
         To get help about commands type:\n\
         \x20     \"help @<group>\" to get a list of commands in <group>\n\
         \x20     \"help <command>\" for help on <command>\n\
         \x20     \"help <tab>\" to get a list of possible help topics\n\
         \x20     \"quit\" to exit\n\
         \n\
         To set stoa-cli preferences:\n\
         \x20     \":set hints\" enable online hints\n\
         \x20     \":set nohints\" disable online hints\n",
        env!("CARGO_PKG_VERSION"),
    )
}

/// What is known of a topic: a group (`@string`), or the first words of command names.
pub(crate) fn topic(docs: &Docs, words: &[Vec<u8>]) -> String {
    let group = match words {
        [word] => word.strip_prefix(b"@"),
        _ => None,
    };
    let mut out = String::new();
    for doc in &docs.0 {
        let wanted = match group {
            Some(group) => doc.group.as_bytes().eq_ignore_ascii_case(group),
            None => starts_with(doc, words),
        };
        if wanted {
            out.push_str(&entry(doc, group.is_none()));
        }
    }
    out + "\r\n"
}

fn starts_with(doc: &CommandDoc, words: &[Vec<u8>]) -> bool {
    let mut name = doc.name.split(' ');
    words
        .iter()
        .all(|word| name.next().is_some_and(|part| part.as_bytes().eq_ignore_ascii_case(word)))
}

fn entry(doc: &CommandDoc, with_group: bool) -> String {
    let CommandDoc { name, summary, since, group, .. } = doc;
    let mut entry = format!("\r\n  \x1b[1m{name}\x1b[0m \x1b[90m{}\x1b[0m\r\n", doc.rest(0));
    let group = if with_group { group.as_str() } else { "" };
    for (label, text) in [("summary", summary.as_str()), ("since", since), ("group", group)] {
        if !text.is_empty() {
            entry.push_str(&format!("  \x1b[33m{label}:\x1b[0m {text}\r\n"));
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::topic;
    use crate::docs::tests::some_docs;

    #[test]
    fn a_command_is_told_with_its_group_and_a_group_by_its_commands() {
        let docs = some_docs();
        let want = "\r\n  \x1b[1mSET\x1b[0m \x1b[90mkey value [NX | XX] [EX seconds]\x1b[0m\r\n  \
                    \x1b[33msummary:\x1b[0m Sets a value.\r\n  \x1b[33msince:\x1b[0m 1.0.0\r\n  \
                    \x1b[33mgroup:\x1b[0m string\r\n\r\n";
        assert_eq!(topic(&docs, &[b"set".to_vec()]), want);
        let group = topic(&docs, &[b"@String".to_vec()]);
        assert!(group.contains("SET") && group.contains("MGET") && !group.contains("CONFIG"));
        assert!(!group.contains("group:"), "the group is known already");
        let config = topic(&docs, &[b"config".to_vec()]);
        assert!(config.contains("CONFIG\x1b") && config.contains("CONFIG GET"));
        assert_eq!(topic(&docs, &[b"nosuch".to_vec()]), "\r\n");
    }
}
