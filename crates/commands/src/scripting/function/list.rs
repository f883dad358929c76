//! FUNCTION LIST: what is loaded.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_scripting::FunctionFacts;
use stoa_stdx::glob_match;

use super::FUNCTION;

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`
pub struct List;

/// What to list.
#[derive(Default)]
pub struct Which<'a> {
    pattern: Option<&'a [u8]>,
    with_code: bool,
    /// A word that says nothing.
    unknown: Option<&'a [u8]>,
}

impl Command for List {
    const SPEC: Spec = Spec {
        name: "function|list",
        summary: "Lists libraries and their functions.",
        complexity: "O(N) for N functions",
        syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        arity: Arity(-2),
        tips: &["nondeterministic_output_order"],
        ..FUNCTION
    };
    type Args<'a> = Which<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Which<'a>, ReplyError> {
        let mut which = Which::default();
        while args.left() > 0 && which.unknown.is_none() {
            if !which.with_code && args.word("WITHCODE") {
                which.with_code = true;
            } else if which.pattern.is_none() && args.word("LIBRARYNAME") {
                which.pattern =
                    Some(args.bytes().map_err(|_| {
                        ReplyError::Text("ERR library name argument was not given")
                    })?);
            } else {
                which.unknown = Some(args.bytes()?);
            }
        }
        Ok(which)
    }

    fn execute(
        which: Which<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if let Some(word) = which.unknown {
            reply.error_echo("ERR Unknown argument ", word, "");
            return Ok(());
        }
        let mut libraries = ctx.node.scripts.scripting.libraries();
        if let Some(pattern) = which.pattern {
            libraries.retain(|library| glob_match(pattern, &library.name, true));
        }
        reply.array(libraries.len());
        for library in libraries {
            reply.map(if which.with_code { 4 } else { 3 });
            reply.bulk(b"library_name");
            reply.bulk(&library.name);
            reply.bulk(b"engine");
            reply.bulk(b"LUA");
            reply.bulk(b"functions");
            reply.array(library.functions.len());
            library.functions.iter().for_each(|function| write_function(function, reply));
            if which.with_code {
                reply.bulk(b"library_code");
                reply.bulk(&library.code);
            }
        }
        Ok(())
    }
}

fn write_function(function: &FunctionFacts, reply: &mut dyn Reply) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(&function.name);
    reply.bulk(b"description");
    match &function.description {
        Some(text) => reply.bulk(text),
        None => reply.null(),
    }
    reply.bulk(b"flags");
    reply.set(function.flags.names().count());
    function.flags.names().for_each(|name| reply.simple(name));
}
