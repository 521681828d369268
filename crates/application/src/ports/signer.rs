//! Signatures of texts.

/// Signs texts, so that the program recognises those that it made.
pub trait Signer: Send + Sync {
    /// Returns the signature of a text, in characters that URLs need not encode. The same text has the same signature.
    fn sign(&self, text: &str) -> String;

    /// Returns whether a text has this signature, made with the present key or an older one. The time it takes MUST NOT
    /// depend on the characters that differ.
    fn verify(&self, text: &str, signature: &str) -> bool;
}
