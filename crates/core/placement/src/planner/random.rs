//! Numbers for the strategy `random`: drawn from a seed that the caller gives, so that a plan can be made again.
//! The generator is SplitMix64, which needs no state beyond a counter; nothing secret depends on it.

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `bound` - 1; none if the bound is zero. That 2^64 is no multiple of the bound favours nobody by more
    /// than one in 2^32.
    pub(super) fn below(&mut self, bound: u32) -> Option<u32> {
        let drawn = self.next().checked_rem(u64::from(bound))?;
        u32::try_from(drawn).ok()
    }
}
