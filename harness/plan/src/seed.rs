/// The seed of all randomness in a run.
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

    /// Returns 32 bytes that follow from this seed.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (number, word) in bytes.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&self.derive(&number.to_string()).0.to_be_bytes());
        }
        bytes
    }
}
