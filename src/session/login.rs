//! Whether a CHAP Response is right (RFC 2759 section 8), with the same work for names that do not
//! exist as for those that do.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::config::{Config, User};
use crate::proto::mschap::{
    base_name, generate_authenticator_response, generate_nt_response, get_asymmetric_start_key,
    get_master_key, hash_nt_password_hash,
};
use crate::reason::Cause;
use crate::wire::chap::Response;

/// What a right answer gives: our own proof, and the keys of both directions.
pub struct Proof {
    /// For the Success message (RFC 2759 section 8.7).
    pub authenticator: [u8; 20],
    /// `MasterSendKey` of the server (RFC 3079 section 3.3).
    pub send_key: [u8; 16],
    /// `MasterReceiveKey` of the server.
    pub receive_key: [u8; 16],
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.send_key.zeroize();
        self.receive_key.zeroize();
    }
}

/// Checks `response` to `challenge`.
pub fn check<'c>(
    config: &'c Config,
    challenge: &[u8; 16],
    response: &Response,
) -> Result<(&'c User, Proof), Cause> {
    let name = base_name(response.name);
    let user = config.users.iter().find(|user| user.name.as_bytes() == name);
    let nobody = [0; 16];
    let nt_hash = user.map_or(&nobody, |user| &user.secret.nt_hash);
    let widened = user.and_then(|user| user.secret.widened_hash.as_ref()).unwrap_or(&nobody);
    // Both are computed for everybody, so that the time tells nothing.
    let right = is_right(challenge, response, nt_hash);
    let right_widened = is_right(challenge, response, widened);
    let user = user.ok_or(Cause::UnknownUser)?;
    let hash = match (right, right_widened && user.secret.widened_hash.is_some()) {
        (true, _) => nt_hash,
        (false, true) => widened,
        (false, false) => return Err(Cause::WrongPassword),
    };
    if !user.enabled {
        return Err(Cause::UserDisabled);
    }
    Ok((user, prove(challenge, response, hash)))
}

fn is_right(challenge: &[u8; 16], response: &Response, hash: &[u8; 16]) -> bool {
    let name = base_name(response.name);
    let expected = generate_nt_response(challenge, &response.peer_challenge, name, hash);
    expected.ct_eq(&response.nt_response).into()
}

fn prove(challenge: &[u8; 16], response: &Response, hash: &[u8; 16]) -> Proof {
    let Response { peer_challenge, nt_response, name, .. } = response;
    let name = base_name(name);
    let authenticator =
        generate_authenticator_response(hash, nt_response, peer_challenge, challenge, name);
    let mut master_key = get_master_key(&hash_nt_password_hash(hash), nt_response);
    let proof = Proof {
        authenticator,
        send_key: get_asymmetric_start_key(&master_key, true),
        receive_key: get_asymmetric_start_key(&master_key, false),
    };
    master_key.zeroize();
    proof
}
