//! The loop that copies and sums up: `maddu` adds a word to a sum of 64 bits in one instruction.

use core::arch::asm;

use crate::arc4::WORD;
use crate::sum::COPIED;

/// Eight words, `$at` octets into a block: into registers, or out of them and to the sum.
macro_rules! words {
    ("lw", $at:literal) => {
        concat!(
            words!("lw", "{a}", $at + 0),
            words!("lw", "{b}", $at + 4),
            words!("lw", "{c}", $at + 8),
            words!("lw", "{d}", $at + 12),
            words!("lw", "{e}", $at + 16),
            words!("lw", "{f}", $at + 20),
            words!("lw", "{g}", $at + 24),
            words!("lw", "{h}", $at + 28),
        )
    };
    ("sum", $at:literal) => {
        concat!(
            words!("sum", "{a}", $at + 0),
            words!("sum", "{b}", $at + 4),
            words!("sum", "{c}", $at + 8),
            words!("sum", "{d}", $at + 12),
            words!("sum", "{e}", $at + 16),
            words!("sum", "{f}", $at + 20),
            words!("sum", "{g}", $at + 24),
            words!("sum", "{h}", $at + 28),
        )
    };
    ("lw", $register:literal, $at:literal + $more:literal) => {
        concat!("lw ", $register, ", ", $at, " + ", $more, "({from})\n")
    };
    ("sum", $register:literal, $at:literal + $more:literal) => {
        concat!("sw ", $register, ", ", $at, " + ", $more, "({to})\nmaddu ", $register, ", {one}\n")
    };
}

/// Copies the words of `from`; their sum, or `None`, and nothing is done, where they do not stand as they
/// must. `maddu` adds in one instruction what the compiler does in three, and in a unit of its own, so that
/// a 24Kc core does not wait for it.
pub fn copy_blocks(from: &[[[u8; WORD]; COPIED]], to: &mut [[[u8; WORD]; COPIED]]) -> Option<u64> {
    let is_aligned = (from.as_ptr().addr() | to.as_ptr().addr()).is_multiple_of(WORD);
    if !is_aligned || from.len() != to.len() {
        return None;
    }
    if from.is_empty() {
        return Some(0);
    }
    let (low, high): (u32, u32);
    let range = from.as_ptr_range();
    // SAFETY: both places are aligned, as was looked at, and as long as each other; the loop goes through
    // one block each turn, of which there is at least one, until the end of `from`. Both are borrowed.
    // HI and LO get back what they had: there is no way to say that they change.
    unsafe {
        asm!(
            ".set push",
            ".set noreorder",
            ".set noat",
            "mfhi {p}",
            "mflo {q}",
            "mult $zero, $zero",
            "2:",
            words!("lw", 0), words!("sum", 0),
            words!("lw", 32), words!("sum", 32),
            "addiu {from}, {from}, 64",
            "bne {from}, {end}, 2b",
            "addiu {to}, {to}, 64",
            "mfhi {high}",
            "mflo {low}",
            "mthi {p}",
            "mtlo {q}",
            ".set pop",
            from = inout(reg) range.start => _,
            end = in(reg) range.end,
            to = inout(reg) to.as_mut_ptr() => _,
            one = in(reg) 1,
            low = lateout(reg) low, high = lateout(reg) high,
            p = out(reg) _, q = out(reg) _,
            a = out(reg) _, b = out(reg) _, c = out(reg) _, d = out(reg) _,
            e = out(reg) _, f = out(reg) _, g = out(reg) _, h = out(reg) _,
            options(nostack),
        );
    }
    Some(u64::from(high) << 32 | u64::from(low))
}
