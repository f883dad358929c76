//! Places where a shard, under the simulator, takes the rare turn often.
//!
//! Some turns are taken once in a million requests: a batch is full, a client is owed too much, more
//! keys are due than fit a portion. Each is right by itself and may be wrong together with others, and
//! no number of seeds would bring two of them together. So they ask here, too. Behind a feature, as
//! what is [`planted`](crate::Planted): without it every answer is `false` when it is compiled.

#[cfg(feature = "simulated")]
use stoa_stdx::Rng;

use crate::Shard;

/// A turn that is rarely taken. All of them are allowed at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// A batch is posted though it is short: a pass sends many small ones.
    PostEarly,
    /// A client is owed one reply and waits for it.
    FewHoles,
    /// A portion of expiry is one key.
    ShortPortion,
    /// A request of another shard that meets no intent waits in a row all the same.
    Park,
    /// A share that the only other shard decides on runs from a row, not at once.
    HoldDecided,
    /// Names of scripts that want all keys are forgotten.
    ForgetScripts,
    /// Small values are copied as large ones are, between other work.
    SlowCopy,
}

/// How many there are.
pub const SITES: usize = 7;

/// How often rare turns are taken, and which were.
#[cfg(feature = "simulated")]
#[derive(Debug)]
pub(crate) struct Sites {
    one_in: u64,
    rng: Rng,
    taken: [u64; SITES],
}

#[cfg(feature = "simulated")]
impl Default for Sites {
    fn default() -> Self {
        Self { one_in: 0, rng: Rng::new(0), taken: [0; SITES] }
    }
}

impl Shard {
    /// Whether to take a rare turn now, though there is no need.
    #[cfg(feature = "simulated")]
    #[inline]
    pub(crate) fn rarely(&mut self, site: Site) -> bool {
        let sites = &mut self.sites;
        let takes = sites.one_in > 0 && sites.rng.one_in(sites.one_in);
        sites.taken[site as usize] += u64::from(takes);
        takes
    }

    /// Whether to take a rare turn now, though there is no need: never.
    #[cfg(not(feature = "simulated"))]
    #[expect(clippy::unused_self, reason = "with the feature it is looked at")]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "as above")]
    #[inline]
    pub(crate) const fn rarely(&mut self, _site: Site) -> bool {
        false
    }

    /// Takes each rare turn once in so many times that it could; 0 is never.
    #[cfg(feature = "simulated")]
    pub fn make_common(&mut self, one_in: u64, seed: u64) {
        self.sites = Sites { one_in, rng: Rng::new(seed), taken: [0; SITES] };
    }

    /// How often each of them was taken without need.
    #[cfg(feature = "simulated")]
    #[must_use]
    pub const fn taken(&self) -> [u64; SITES] {
        self.sites.taken
    }
}
