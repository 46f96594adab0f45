//! SHA-1: words and variables stay in registers, instead of going to the stack and back.

use core::arch::asm;

use crate::sha1::State;

/// Rounds of SHA-1 with their words: the names of the five variables and of the words turn from round to
/// round.
macro_rules! rounds {
    ($state:tt $words:tt) => { "" };
    ([$a:ident $b:ident $c:ident $d:ident $e:ident]
     [$w0:ident $w1:ident $w2:ident $w3:ident $w4:ident $w5:ident $w6:ident $w7:ident
      $w8:ident $w9:ident $w10:ident $w11:ident $w12:ident $w13:ident $w14:ident $w15:ident]
     $mix:ident $($more:ident)*) => {
        concat!(
            op!(xor $w0 $w0 $w13), op!(xor $w0 $w0 $w8), op!(xor $w0 $w0 $w2), op!(rotr $w0 $w0 31),
            $mix!($b $c $d $e),
            op!(addu $e $e $w0), op!(addu $e $e k), op!(rotr t $a 27), op!(addu $e $e t), op!(rotr $b $b 2),
            rounds!([$e $a $b $c $d]
                    [$w1 $w2 $w3 $w4 $w5 $w6 $w7 $w8 $w9 $w10 $w11 $w12 $w13 $w14 $w15 $w0]
                    $($more)*)
        )
    };
}

/// Twenty rounds leave the names of the variables as they are.
macro_rules! twenty {
    ($mix:ident $words:tt) => {
        rounds!([b c d e a] $words $mix $mix $mix $mix $mix $mix $mix $mix $mix $mix
                $mix $mix $mix $mix $mix $mix $mix $mix $mix $mix)
    };
}

/// One instruction.
macro_rules! op {
    ($name:ident $to:ident $one:ident $two:ident) => {
        concat!(
            stringify!($name),
            " {",
            stringify!($to),
            "}, {",
            stringify!($one),
            "}, {",
            stringify!($two),
            "}\n"
        )
    };
    ($name:ident $to:ident $from:ident $bits:literal) => {
        concat!(
            stringify!($name),
            " {",
            stringify!($to),
            "}, {",
            stringify!($from),
            "}, ",
            $bits,
            "\n"
        )
    };
}

macro_rules! choose {
    ($b:ident $c:ident $d:ident $e:ident) => {
        concat!(op!(xor t $c $d), op!(and t t $b), op!(xor t t $d), op!(addu $e $e t))
    };
}

macro_rules! parity {
    ($b:ident $c:ident $d:ident $e:ident) => {
        concat!(op!(xor t $b $c), op!(xor t t $d), op!(addu $e $e t))
    };
}

/// No bit is in both summands.
macro_rules! majority {
    ($b:ident $c:ident $d:ident $e:ident) => {
        concat!(op!(and t $b $c), op!(addu $e $e t), op!(xor t $b $c), op!(and t t $d), op!(addu $e $e t))
    };
}

/// The last 64 rounds of SHA-1, as in `sha1`.
#[inline(never)]
pub fn rest([mut a, mut b, mut c, mut d, mut e]: State, block: [u32; 16]) -> State {
    // SAFETY: computes with registers alone.
    unsafe {
        asm!(
            ".set noat",
            "lui {k}, 0x5a82",
            "ori {k}, {k}, 0x7999",
            rounds!([a b c d e] [w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15]
                    choose choose choose choose),
            "lui {k}, 0x6ed9",
            "ori {k}, {k}, 0xeba1",
            twenty!(parity [w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w0 w1 w2 w3]),
            "lui {k}, 0x8f1b",
            "ori {k}, {k}, 0xbcdc",
            twenty!(majority [w8 w9 w10 w11 w12 w13 w14 w15 w0 w1 w2 w3 w4 w5 w6 w7]),
            "lui {k}, 0xca62",
            "ori {k}, {k}, 0xc1d6",
            twenty!(parity [w12 w13 w14 w15 w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11]),
            a = inout(reg) a, b = inout(reg) b, c = inout(reg) c, d = inout(reg) d, e = inout(reg) e,
            w0 = inout(reg) block[0] => _, w1 = inout(reg) block[1] => _,
            w2 = inout(reg) block[2] => _, w3 = inout(reg) block[3] => _,
            w4 = inout(reg) block[4] => _, w5 = inout(reg) block[5] => _,
            w6 = inout(reg) block[6] => _, w7 = inout(reg) block[7] => _,
            w8 = inout(reg) block[8] => _, w9 = inout(reg) block[9] => _,
            w10 = inout(reg) block[10] => _, w11 = inout(reg) block[11] => _,
            w12 = inout(reg) block[12] => _, w13 = inout(reg) block[13] => _,
            w14 = inout(reg) block[14] => _, w15 = inout(reg) block[15] => _,
            k = out(reg) _, t = out(reg) _,
            options(pure, nomem, nostack),
        );
    }
    [b, c, d, e, a]
}

#[cfg(test)]
mod tests {
    use super::super::dice;
    use super::*;
    use crate::portable;

    #[test]
    fn sha1_as_the_portable_code_has_it() {
        let mut seed = 0x6c07_8965;
        for _ in 0..10_000 {
            let state: State = core::array::from_fn(|_| dice(&mut seed));
            let block: [u32; 16] = core::array::from_fn(|_| dice(&mut seed));
            assert_eq!(rest(state, block), portable::rest(state, block));
        }
    }
}
