//! MS-CHAPv2 by the names of RFC 2759 section 8, and the keys of RFC 3079 section 3 that an MPPE
//! call starts with. Pure functions: who compares a response does it in constant time.

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use md4::{Digest, Md4};
use pptp_cipher::sha1;
use zeroize::Zeroize;

use crate::limits::PASSWORD_UNITS;

/// A password of more than 256 Unicode characters (RFC 2759 section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// NtPasswordHash of a password in UTF-8, as Windows, macOS and Android compute it.
pub fn nt_hash_of(password: &str) -> Result<[u8; 16], TooLong> {
    nt_password_hash(password.encode_utf16())
}

/// NtPasswordHash as pppd computes it: each *octet* of the UTF-8 password widened to 16 bits. It
/// differs from [`nt_hash_of`] in passwords that are not ASCII.
pub fn widened_hash_of(password: &str) -> Result<[u8; 16], TooLong> {
    nt_password_hash(password.bytes().map(u16::from))
}

/// Overwrites what the functions of this file have left on the stack. Whatever is made there next may
/// carry it along in octets that it does not use, and keep it for as long as it lives.
#[inline(never)]
pub fn wipe_stack() {
    let mut room = [0u64; 512];
    room.zeroize();
}

/// NtPasswordHash (RFC 2759 section 8.3): MD4 over the password's UTF-16 code units, low octet
/// first.
pub fn nt_password_hash(units: impl Iterator<Item = u16>) -> Result<[u8; 16], TooLong> {
    let mut hash = Md4::new();
    for (place, unit) in units.enumerate() {
        if place == PASSWORD_UNITS {
            return Err(TooLong);
        }
        hash.update(unit.to_le_bytes());
    }
    Ok(hash.finalize().into())
}

/// HashNtPasswordHash (RFC 2759 section 8.4).
pub fn hash_nt_password_hash(password_hash: &[u8; 16]) -> [u8; 16] {
    Md4::digest(password_hash).into()
}

/// The name that is hashed: without `DOMAIN\` in front (RFC 2759 section 4). An `@realm` stays.
pub fn base_name(user: &[u8]) -> &[u8] {
    user.rsplit(|&octet| octet == b'\\').next().unwrap_or(user)
}

/// ChallengeHash (RFC 2759 section 8.2); `user_name` without its domain.
pub fn challenge_hash(peer: &[u8; 16], authenticator: &[u8; 16], user_name: &[u8]) -> [u8; 8] {
    first(sha1(&[peer, authenticator, user_name]))
}

/// ChallengeResponse (RFC 2759 section 8.5): DES of the challenge under three keys of 7 octets,
/// the last of which has only 2 octets of the hash.
pub fn challenge_response(challenge: &[u8; 8], password_hash: &[u8; 16]) -> [u8; 24] {
    let mut keys = [0; 21];
    keys[..16].copy_from_slice(password_hash);
    let mut response = [0; 24];
    for (block, key) in response.chunks_exact_mut(8).zip(keys.chunks_exact(7)) {
        block.copy_from_slice(&des_encrypt(challenge, key));
    }
    keys.zeroize();
    response
}

/// GenerateNTResponse (RFC 2759 section 8.1), from the hash instead of the password.
pub fn generate_nt_response(
    authenticator: &[u8; 16],
    peer: &[u8; 16],
    user_name: &[u8],
    password_hash: &[u8; 16],
) -> [u8; 24] {
    challenge_response(&challenge_hash(peer, authenticator, user_name), password_hash)
}

/// GenerateAuthenticatorResponse (RFC 2759 section 8.7): the 20 octets that the Success packet
/// shows in hexadecimal behind `S=`.
pub fn generate_authenticator_response(
    password_hash: &[u8; 16],
    nt_response: &[u8; 24],
    peer: &[u8; 16],
    authenticator: &[u8; 16],
    user_name: &[u8],
) -> [u8; 20] {
    let hash_hash = hash_nt_password_hash(password_hash);
    let digest = sha1(&[&hash_hash, nt_response, b"Magic server to client signing constant"]);
    let challenge = challenge_hash(peer, authenticator, user_name);
    sha1(&[&digest, &challenge, b"Pad to make it do more than one iteration"])
}

/// GetMasterKey (RFC 3079 section 3.4).
pub fn get_master_key(password_hash_hash: &[u8; 16], nt_response: &[u8; 24]) -> [u8; 16] {
    first(sha1(&[password_hash_hash, nt_response, b"This is the MPPE Master Key"]))
}

/// GetAsymmetricStartKey (RFC 3079 section 3.4) at the server. 40 and 56 bits use the first 8 of
/// the 16 octets.
///
/// The server's send key and the caller's receive key are the same, so there are only two.
pub fn get_asymmetric_start_key(master_key: &[u8; 16], is_send: bool) -> [u8; 16] {
    let magic = if is_send { SERVER_SENDS } else { SERVER_RECEIVES };
    first(sha1(&[master_key, &[0; 40], magic, &[0xf2; 40]]))
}

/// The first octets of a digest.
fn first<const N: usize>(digest: [u8; 20]) -> [u8; N] {
    core::array::from_fn(|place| digest[place])
}

/// DesEncrypt (RFC 2759 section 8.6).
fn des_encrypt(clear: &[u8; 8], key: &[u8]) -> [u8; 8] {
    let mut block = (*clear).into();
    let mut spread = spread_key(key);
    Des::new(&spread.into()).encrypt_block(&mut block);
    spread.zeroize();
    block.into()
}

/// The 56 bits of a key as the high 7 bits of 8 octets; DES ignores the low (parity) bits.
fn spread_key(key: &[u8]) -> [u8; 8] {
    let bits = key.iter().fold(0u64, |bits, &octet| bits << 8 | u64::from(octet));
    core::array::from_fn(|place| ((bits >> (49 - 7 * place)) as u8) << 1)
}

/// Magic3 and Magic2 of RFC 3079 section 3.4.
const SERVER_SENDS: &[u8] =
    b"On the client side, this is the receive key; on the server side, it is the send key.";
const SERVER_RECEIVES: &[u8] =
    b"On the client side, this is the send key; on the server side, it is the receive key.";
