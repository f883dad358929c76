//! AUTH: proves the password of the one user there is, `default`.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use subtle::ConstantTimeEq;

use super::{ALWAYS, CONNECTION};

/// The only user, until access lists bring others.
const DEFAULT_USER: &[u8] = b"default";

const NO_PASSWORD_SET: ReplyError = ReplyError::Text(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);

const WRONG_PASSWORD: ReplyError =
    ReplyError::Text("WRONGPASS invalid username-password pair or user is disabled.");

/// `AUTH [username] password`
pub struct Auth;

/// A claim to be somebody.
#[derive(Clone, Copy)]
pub(super) struct Credentials<'a> {
    pub(super) user: &'a [u8],
    pub(super) password: &'a [u8],
}

impl Credentials<'_> {
    /// Lets the client in, or says why not.
    pub(super) fn check(self, ctx: &mut Ctx<'_>) -> Result<(), ReplyError> {
        let known = self.user == DEFAULT_USER;
        let right = ctx.node.config.requirepass.as_deref().is_none_or(|wanted| {
            // How long the comparison takes must not tell how much was right.
            bool::from(wanted.ct_eq(self.password))
        });
        if known && right {
            ctx.session().authenticated = true;
            return Ok(());
        }
        ctx.node.counters.acl_denied_auth += 1;
        Err(WRONG_PASSWORD)
    }
}

impl Command for Auth {
    const SPEC: Spec = Spec {
        name: "auth",
        summary: "Authenticates the connection.",
        since: "1.0.0",
        complexity: "O(1)",
        syntax: "[username] password",
        arity: Arity(-2),
        flags: ALWAYS,
        ..CONNECTION
    };

    type Args<'a> = (Option<&'a [u8]>, &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        let first = args.bytes()?;
        let Ok(second) = args.bytes() else { return Ok((None, first)) };
        args.end()?;
        Ok((Some(first), second))
    }

    fn execute(
        (user, password): Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        if user.is_none() && ctx.node.config.requirepass.is_none() {
            return Err(NO_PASSWORD_SET);
        }
        let user = user.unwrap_or(DEFAULT_USER);
        Credentials { user, password }.check(ctx)?;
        reply.ok();
        Ok(())
    }
}
