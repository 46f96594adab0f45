//! Seeded chance: a failure names its seed, and `PPTP_SEED` runs that one alone.

/// xorshift64*.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn octets(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.roll() as u8).collect()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// Runs `test` with the seeds 1 to `count`, or with the one in `PPTP_SEED`.
pub fn for_seeds(count: u64, mut test: impl FnMut(u64)) {
    let wanted = std::env::var("PPTP_SEED").ok();
    let seeds = match wanted.and_then(|text| text.parse().ok()) {
        Some(seed) => seed..=seed,
        None => 1..=count,
    };
    for seed in seeds {
        let _guard = Guard(seed);
        test(seed);
    }
}

struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {0}: PPTP_SEED={0} runs it alone", self.0);
        }
    }
}
