//! A command from its spec and two functions.
//!
//! Families of commands that differ in a direction or a bound share their functions and say only what
//! is their own; the trait's full form would be twenty lines for each.

/// `define! { "doc", Name, Args, parse, execute, spec }`: `parse(&mut Args) -> Result<Args, _>` and
/// `execute(Args, &mut Ctx, &mut dyn Reply) -> Result<(), _>`.
macro_rules! define {
    ($doc:literal, $name:ident, $args:ident, $parse:expr, $execute:expr, $spec:expr) => {
        #[doc = $doc]
        pub struct $name;

        impl ::stoa_engine::Command for $name {
            const SPEC: ::stoa_command::Spec = $spec;

            type Args<'a> = $args<'a>;

            fn parse<'a>(
                args: &mut ::stoa_command::Args<'a>,
            ) -> Result<$args<'a>, ::stoa_command::ReplyError> {
                $parse(args)
            }

            fn execute(
                args: $args<'_>,
                ctx: &mut ::stoa_engine::Ctx<'_>,
                reply: &mut dyn ::stoa_engine::Reply,
            ) -> Result<(), ::stoa_command::ReplyError> {
                $execute(args, ctx, reply)
            }
        }
    };
}

pub(crate) use define;
