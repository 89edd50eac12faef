/// Where all randomness of a run comes from.
///
/// One number, from which every user derives its own by name, so that a new user of randomness changes nothing for the
/// others: `seed.derive("link broker-sensor")`. Derivation is FNV-1a over the name, then the finalizer of SplitMix64;
/// the generator is ChaCha8. Both are specified and the same on every platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of the user with this name.
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.0;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(hash ^ (hash >> 31))
    }
}
