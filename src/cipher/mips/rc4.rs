//! The loops of RC4. `ins` puts the low octet of one register into another: with it an index becomes an
//! address in one instruction instead of two, where the table begins at a multiple of 256, and an octet of
//! the key stream becomes its part of a word. A step takes 10 instructions instead of 13.
//!
//! Every address is one of these:
//! * that of the table with its low octet replaced by an index: within 256 octets from where it begins;
//! * a place in the table whose low four bits are zero, and a constant below 16;
//! * a word of a block that is borrowed, or an octet of the key.

use core::arch::asm;

use crate::arc4::{BLOCK, LEAD, Place, WORD};

const _: () = assert!(LEAD == 2 && BLOCK == 16);

/// Whether a table begins at a multiple of its length.
#[inline(always)]
fn is_aligned(table: &[u8; 256]) -> bool {
    table.as_ptr().addr().is_multiple_of(256)
}

/// The look-up of octet `$k` of a word of key stream, and how it gets there.
#[cfg(target_endian = "little")]
macro_rules! octet {
    (look 0) => {
        "lbu {w}, 0({q})\n"
    };
    (take 0) => {
        ""
    };
    (look $k:literal) => {
        "lbu {z}, 0({q})\n"
    };
    (take $k:literal) => {
        concat!("ins {w}, {z}, 8 * ", $k, ", 8\n")
    };
    (xor) => {
        "xor {d}, {d}, {w}\n"
    };
}
/// Here the word so far is put in front of each octet, in two registers in turn.
#[cfg(target_endian = "big")]
macro_rules! octet {
    (look 0) => {
        "lbu {w}, 0({q})\n"
    };
    (take 0) => {
        ""
    };
    (look 2) => {
        "lbu {w}, 0({q})\n"
    };
    (take 2) => {
        "ins {w}, {z}, 8, 16\n"
    };
    (look $k:literal) => {
        "lbu {z}, 0({q})\n"
    };
    (take $k:literal) => {
        concat!("ins {z}, {w}, 8, 8 * ", $k, "\n")
    };
    (xor) => {
        "xor {d}, {d}, {z}\n"
    };
}

/// A step whose octet of the table is at `$i`, with two parts of the step before it, which come late: the
/// look-up of its key octet fills the time until the first load is there.
macro_rules! step {
    ($i:literal, $look:expr, $take:expr) => {
        concat!(
            "lbu {x}, ", $i, "\n", $look, "addu {j}, {j}, {x}\n", "ins {p}, {j}, 0, 8\n", "lbu {y}, 0({p})\n",
            $take, "sb {x}, 0({p})\n", "addu {t}, {x}, {y}\n", "sb {y}, ", $i, "\n", "ins {q}, {t}, 0, 8\n",
        )
    };
    ($i:literal behind $k:tt $more:expr) => {
        step!($i, octet!(look $k), concat!(octet!(take $k), $more))
    };
}

/// As `portable::apply`; `None`, and nothing is done, where table and words do not stand as they must.
pub fn apply(
    table: &mut [u8; 256],
    (base, j): (usize, u8),
    words: &mut [[u8; WORD]],
    first: usize,
) -> Option<(usize, u8)> {
    let (base, words) = (base & (256 - BLOCK), words.get_mut(first..)?);
    if !is_aligned(table) || !words.as_ptr().addr().is_multiple_of(WORD) {
        return None;
    }
    let (blocks, _) = words.as_chunks_mut::<{ BLOCK / WORD }>();
    if blocks.is_empty() {
        return Some((base, j));
    }
    let range = blocks.as_mut_ptr_range();
    let start = table.as_mut_ptr();
    let (mut i, mut j) = (start.wrapping_add(base), u32::from(j));
    // SAFETY: the alignments and `base` are as the head of this file needs them: it was looked at. `words`
    // goes from the first block to the end of the last, one block each turn, of which there is at least
    // one; `i` goes round in the table, row by row. Both are borrowed for us alone.
    unsafe {
        asm!(
            ".set push",
            ".set noreorder",
            ".set noat",
            "2:",
            step!("3({i})", "addiu {n}, {i}, 16\n", ""),
            step!("4({i})" behind 0 ""),
            step!("5({i})" behind 1 ""),
            step!("6({i})" behind 2 "lw {d}, 0({words})\n"),
            step!("7({i})" behind 3 concat!(octet!(xor), "sw {d}, 0({words})\n")),
            step!("8({i})" behind 0 ""),
            step!("9({i})" behind 1 ""),
            step!("10({i})" behind 2 "lw {d}, 4({words})\n"),
            step!("11({i})" behind 3 concat!(octet!(xor), "sw {d}, 4({words})\n")),
            step!("12({i})" behind 0 ""),
            step!("13({i})" behind 1 ""),
            step!("14({i})" behind 2 "lw {d}, 8({words})\n"),
            step!("15({i})" behind 3 concat!(octet!(xor), "sw {d}, 8({words})\n")),
            "ins {i}, {n}, 0, 8",
            step!("0({i})" behind 0 ""),
            step!("1({i})" behind 1 ""),
            step!("2({i})" behind 2 "lw {d}, 12({words})\n"),
            octet!(look 3),
            "addiu {words}, {words}, 16",
            octet!(take 3),
            octet!(xor),
            "bne {words}, {end}, 2b",
            "sw {d}, -4({words})",
            ".set pop",
            words = inout(reg) range.start => _,
            end = in(reg) range.end,
            i = inout(reg) i,
            j = inout(reg) j,
            n = out(reg) _,
            p = inout(reg) start => _,
            q = inout(reg) start => _,
            x = out(reg) _, y = out(reg) _, z = out(reg) _, t = out(reg) _, w = out(reg) _, d = out(reg) _,
            options(nostack),
        );
    }
    Some((i.addr() & 0xff, j as u8))
}

/// The counter's next place, where it does not stand still.
macro_rules! count {
    () => {
        "addiu {n}, {i}, 1\nins {i}, {n}, 0, 8"
    };
}

/// Combines the whole words that `data` begins with with the key stream, from any counter; returns the next
/// place and how many octets that were: none where table and words do not stand as they must.
#[inline(always)]
pub fn apply_words(table: &mut [u8; 256], (i, j): Place, data: &mut [u8]) -> (Place, usize) {
    let (words, _) = data.as_chunks_mut::<WORD>();
    if words.is_empty() || !is_aligned(table) || !words.as_ptr().addr().is_multiple_of(WORD) {
        return ((i, j), 0);
    }
    let (range, done) = (words.as_mut_ptr_range(), words.as_flattened().len());
    let start = table.as_mut_ptr();
    let mut j = u32::from(j);
    // SAFETY: the alignments are as the head of this file needs them: it was looked at. `words` goes from
    // the first word to the end of the last, one each turn, of which there is at least one; `i` goes
    // round in the table. Both are borrowed for us alone.
    unsafe {
        asm!(
            ".set push",
            ".set noreorder",
            ".set noat",
            "2:",
            count!(),
            step!("0({i})", "", ""),
            count!(),
            step!("0({i})" behind 0 ""),
            count!(),
            step!("0({i})" behind 1 ""),
            count!(),
            step!("0({i})" behind 2 "lw {d}, 0({words})\n"),
            octet!(look 3),
            "addiu {words}, {words}, 4",
            octet!(take 3),
            octet!(xor),
            "bne {words}, {end}, 2b",
            "sw {d}, -4({words})",
            ".set pop",
            words = inout(reg) range.start => _,
            end = in(reg) range.end,
            i = inout(reg) start.wrapping_add(usize::from(i)) => _,
            j = inout(reg) j,
            n = out(reg) _,
            p = inout(reg) start => _,
            q = inout(reg) start => _,
            x = out(reg) _, y = out(reg) _, z = out(reg) _, t = out(reg) _, w = out(reg) _, d = out(reg) _,
            options(nostack),
        );
    }
    ((i.wrapping_add(done as u8), j as u8), done)
}

/// A step of the key schedule.
macro_rules! turn {
    ($i:literal, $key:literal) => {
        concat!(
            "lbu {x}, ",
            $i,
            "({i})\n",
            "addu {j}, {j}, ",
            $key,
            "\n",
            "addu {j}, {j}, {x}\n",
            "ins {p}, {j}, 0, 8\n",
            "lbu {y}, 0({p})\n",
            "sb {x}, 0({p})\n",
            "sb {y}, ",
            $i,
            "({i})\n",
        )
    };
}

/// The first four octets of a table of 0 to 255, and what makes the next four of them.
const FIRST: u32 = u32::from_ne_bytes([0, 1, 2, 3]);
const NEXT: u32 = 0x0404_0404;

/// As `portable::schedule`; false, and nothing is done, where the table does not stand as it must.
#[inline(never)]
pub fn schedule(table: &mut [u8; 256], key: &[u8; 16]) -> bool {
    if !is_aligned(table) {
        return false;
    }
    let range = table.as_mut_ptr_range();
    // SAFETY: the table is aligned, as was looked at; `i` goes through it in 8 turns of 32 octets, then in
    // 16 of 16. The key is read octet by octet. Table and key are borrowed.
    unsafe {
        asm!(
            ".set push",
            ".set noreorder",
            ".set noat",
            "2:",
            "addu {c}, {a}, {b}",
            "sw {a}, 0({i})",
            "addu {a}, {c}, {b}",
            "sw {c}, 4({i})",
            "addu {c}, {a}, {b}",
            "sw {a}, 8({i})",
            "addu {a}, {c}, {b}",
            "sw {c}, 12({i})",
            "addu {c}, {a}, {b}",
            "sw {a}, 16({i})",
            "addu {a}, {c}, {b}",
            "sw {c}, 20({i})",
            "addu {c}, {a}, {b}",
            "sw {a}, 24({i})",
            "sw {c}, 28({i})",
            "addiu {i}, {i}, 32",
            "bne {i}, {end}, 2b",
            "addu {a}, {c}, {b}",
            "move {i}, {p}",
            "lbu {a}, 0({x})", "lbu {b}, 1({x})", "lbu {c}, 2({x})", "lbu {d}, 3({x})",
            "lbu {e}, 4({x})", "lbu {f}, 5({x})", "lbu {g}, 6({x})", "lbu {h}, 7({x})",
            "lbu {k}, 8({x})", "lbu {l}, 9({x})", "lbu {m}, 10({x})", "lbu {n}, 11({x})",
            "lbu {o}, 12({x})", "lbu {q}, 13({x})", "lbu {r}, 14({x})", "lbu {s}, 15({x})",
            "3:",
            turn!("0", "{a}"), turn!("1", "{b}"), turn!("2", "{c}"), turn!("3", "{d}"),
            turn!("4", "{e}"), turn!("5", "{f}"), turn!("6", "{g}"), turn!("7", "{h}"),
            turn!("8", "{k}"), turn!("9", "{l}"), turn!("10", "{m}"), turn!("11", "{n}"),
            turn!("12", "{o}"), turn!("13", "{q}"), turn!("14", "{r}"), turn!("15", "{s}"),
            "addiu {i}, {i}, 16",
            "bne {i}, {end}, 3b",
            "nop",
            ".set pop",
            i = inout(reg) range.start => _,
            p = inout(reg) range.start => _,
            end = in(reg) range.end,
            j = inout(reg) 0 => _,
            x = inout(reg) key.as_ptr() => _,
            y = out(reg) _,
            a = inout(reg) FIRST => _, b = inout(reg) NEXT => _, c = out(reg) _, d = out(reg) _,
            e = out(reg) _, f = out(reg) _, g = out(reg) _, h = out(reg) _,
            k = out(reg) _, l = out(reg) _, m = out(reg) _, n = out(reg) _,
            o = out(reg) _, q = out(reg) _, r = out(reg) _, s = out(reg) _,
            options(nostack),
        );
    }
    true
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::dice;
    use super::*;
    use crate::{BUFFER, Buffer, portable};

    /// A table between octets that must not change.
    #[repr(C, align(256))]
    struct Fenced {
        before: [u8; 256],
        table: [u8; 256],
        behind: [u8; 256],
    }

    /// The generator as it stands in every book.
    fn steps(table: &mut [u8; 256], (mut i, mut j): Place, data: &mut [u8]) -> Place {
        for octet in data {
            i = i.wrapping_add(1);
            j = j.wrapping_add(table[usize::from(i)]);
            table.swap(usize::from(i), usize::from(j));
            *octet ^= table[usize::from(table[usize::from(i)].wrapping_add(table[usize::from(j)]))];
        }
        (i, j)
    }

    #[test]
    fn tables_and_words_as_the_portable_code_has_them() {
        let mut seed = 0x2545_f491;
        for round in 0..5000 {
            let key: [u8; 16] = core::array::from_fn(|_| dice(&mut seed) as u8);
            let (mut ours, mut theirs) =
                (Fenced { before: [0xa5; 256], table: [7; 256], behind: [0x5a; 256] }, [0; 256]);
            assert!(schedule(&mut ours.table, &key) && portable::schedule(&mut theirs, &key));
            assert!(ours.table == theirs, "{round}");
            let (base, j) = (dice(&mut seed) as usize & 0xf0, dice(&mut seed) as u8);
            let octets: [[u8; WORD]; 404] = core::array::from_fn(|_| dice(&mut seed).to_ne_bytes());
            let (mut one, mut other) = (Buffer([0; BUFFER]), octets);
            let first = round % 5;
            let (room, _) = one.0.as_chunks_mut();
            room[..404].copy_from_slice(&octets);
            let len = dice(&mut seed) as usize % 400 + first;
            let next = apply(&mut ours.table, (base, j), &mut room[..len], first);
            assert_eq!(next, portable::apply(&mut theirs, (base, j), &mut other[..len], first));
            assert!(room[..404] == other && ours.table == theirs, "{round}");
            let place = (dice(&mut seed) as u8, dice(&mut seed) as u8);
            let (start, len) = (round % 8, dice(&mut seed) as usize % 90);
            let octets = &mut one.0[start..start + len];
            let mut expected = std::vec::Vec::from(&*octets);
            let (next, done) = apply_words(&mut ours.table, place, octets);
            assert_eq!(done, if start % WORD == 0 { len / WORD * WORD } else { 0 });
            assert_eq!(next, steps(&mut theirs, place, &mut expected[..done]));
            assert!(*octets == expected && ours.table == theirs, "{round}");
            assert!(ours.before == [0xa5; 256] && ours.behind == [0x5a; 256], "{round}");
        }
    }
}
