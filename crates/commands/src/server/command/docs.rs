//! COMMAND DOCS: what commands are for and which arguments they take.
//!
//! The argument tree is read from the syntax line of each spec at every call: it is asked for by
//! tools at their start, so a few milliseconds a day are cheaper than a tree kept in memory.

use stoa_command::syntax::{self, Arg, Kind};
use stoa_command::{Args, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply, Table};

use super::OF_NAMES;

/// `COMMAND DOCS [command-name ...]`
pub struct Docs;

impl Command for Docs {
    const SPEC: Spec = Spec {
        name: "command|docs",
        summary: "Documents some commands, or all.",
        since: "7.0.0",
        ..OF_NAMES
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(
        names: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let table = ctx.node.table;
        let found: Vec<u16> = if names.is_empty() {
            let all = 0..table.entries().len() as u16;
            all.filter(|index| table.at(*index).spec.parent().is_none()).collect()
        } else {
            // Unknown names are left out.
            names.iter().filter_map(|name| table.find_full(name)).collect()
        };
        reply.map(found.len());
        found.into_iter().for_each(|index| one(table, index, reply));
        Ok(())
    }
}

fn one(table: &Table, index: u16, reply: &mut dyn Reply) {
    let spec = &table.at(index).spec;
    let args = syntax::parse(spec.syntax);
    let children: Vec<u16> = table
        .children(index)
        .filter_map(|child| table.find_full(child.spec.name.as_bytes()))
        .collect();
    let fields = [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group.name()),
        ("complexity", spec.complexity),
    ];
    let told = fields.iter().filter(|(_, value)| !value.is_empty());
    reply.bulk(spec.name.as_bytes());
    let flags = doc_flags(spec);
    let deprecated = spec.deprecated.map_or(0, |_| 2);
    let optional = [!flags.is_empty(), !args.is_empty(), !children.is_empty()];
    let optional = optional.into_iter().filter(|is_there| *is_there).count();
    reply.map(told.clone().count() + deprecated + optional);
    for (field, value) in told {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    if !flags.is_empty() {
        reply.bulk(b"doc_flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.simple(flag));
    }
    if let Some((since, replaced_by)) = spec.deprecated {
        for text in ["deprecated_since", since, "replaced_by", replaced_by] {
            reply.bulk(text.as_bytes());
        }
    }
    if !args.is_empty() {
        reply.bulk(b"arguments");
        arguments(&args, &mut Keys { seen: 0, specs: spec.keys.len() }, reply);
    }
    if !children.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(children.len());
        children.into_iter().for_each(|child| one(table, child, reply));
    }
}

fn doc_flags(spec: &Spec) -> Vec<&'static str> {
    let flags = [("deprecated", spec.deprecated.is_some()), ("syscmd", spec.is_internal)];
    flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect()
}

/// Which key spec the next key argument belongs to: they are written in the same order.
struct Keys {
    seen: usize,
    specs: usize,
}

impl Keys {
    fn next(&mut self) -> Option<usize> {
        let index = self.seen.min(self.specs.checked_sub(1)?);
        self.seen += 1;
        Some(index)
    }
}

fn arguments(args: &[Arg], keys: &mut Keys, reply: &mut dyn Reply) {
    reply.array(args.len());
    for arg in args {
        argument(arg, keys, reply);
    }
}

fn argument(arg: &Arg, keys: &mut Keys, reply: &mut dyn Reply) {
    let holds_others = matches!(arg.kind, Kind::OneOf | Kind::Block);
    let key_spec = if arg.kind == Kind::Key { keys.next() } else { None };
    let flags: Vec<&str> = [(arg.optional, "optional"), (arg.multiple, "multiple")]
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| name)
        .collect();
    let optional = [
        !holds_others,
        key_spec.is_some(),
        arg.token.is_some(),
        !flags.is_empty(),
        !arg.children.is_empty(),
    ];
    let fields = 2 + optional.iter().filter(|told| **told).count();
    reply.map(fields);
    let mut text = |field: &str, value: Option<&str>| {
        if let Some(value) = value {
            reply.bulk(field.as_bytes());
            reply.bulk(value.as_bytes());
        }
    };
    text("name", Some(&arg.name));
    text("type", Some(arg.kind.name()));
    text("display_text", (!holds_others).then_some(&arg.name));
    if let Some(index) = key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(index as i64);
    }
    if let Some(token) = &arg.token {
        reply.bulk(b"token");
        reply.bulk(token.as_bytes());
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.array(flags.len());
        flags.iter().for_each(|flag| reply.simple(flag));
    }
    if !arg.children.is_empty() {
        reply.bulk(b"arguments");
        arguments(&arg.children, keys, reply);
    }
}
