//! Signatures of texts by HMAC-SHA256.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mycars_application::ports::Signer;
use sha2::Sha256;

use crate::EmptyKey;

/// Signs texts by HMAC-SHA256 with one key, and verifies signatures by that key or an older one. Tokens that are signed
/// with the same key have no line break, so that a text with one is never mistaken for a token.
pub struct HmacSigner {
    /// The signing key comes first.
    keys: Vec<Hmac<Sha256>>,
}

impl HmacSigner {
    /// Returns a signer that signs with `signing_key`, and verifies signatures by it or by any of `fallback_keys`.
    ///
    /// # Errors
    /// [`EmptyKey`] if one of the keys is empty.
    pub fn new<'a>(
        signing_key: &'a str,
        fallback_keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, EmptyKey> {
        let keys = std::iter::once(signing_key).chain(fallback_keys).map(|key| {
            let hmac = Hmac::new_from_slice(key.as_bytes()).map_err(|_| EmptyKey)?;
            if key.is_empty() { Err(EmptyKey) } else { Ok(hmac) }
        });
        let keys = keys.collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }
}

impl Signer for HmacSigner {
    fn sign(&self, text: &str) -> String {
        let hmac = self.keys[0].clone().chain_update(text);
        BASE64_URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes())
    }

    fn verify(&self, text: &str, signature: &str) -> bool {
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        self.keys
            .iter()
            .any(|key| key.clone().chain_update(text).verify_slice(&signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_by_present_or_older_key_is_verified() {
        let old = HmacSigner::new("old", []).unwrap();
        let new = HmacSigner::new("new", ["old"]).unwrap();
        for signature in [old.sign("text"), new.sign("text")] {
            assert!(new.verify("text", &signature));
            assert!(!new.verify("texts", &signature));
            assert!(!new.verify("text", &signature[1..]));
        }
        assert!(!old.verify("text", &new.sign("text")));
        assert!(!new.verify("text", "") && !new.verify("text", "%"));
    }

    #[test]
    fn signature_is_that_of_hmac_sha256_in_url_characters() {
        let signer = HmacSigner::new("key", []).unwrap();
        assert_eq!(
            signer.sign("The quick brown fox jumps over the lazy dog"),
            "97yD9DBThCSxMpjmqm-xQ-9NWaFJRhdZl0edvC0aPNg"
        );
    }

    #[test]
    fn empty_key_is_refused() {
        assert!(HmacSigner::new("", []).is_err());
        assert!(HmacSigner::new("key", ["old", ""]).is_err());
    }
}
