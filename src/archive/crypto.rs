//! Keys. A repository with a passphrase has one random data key, kept in its config wrapped by a key
//! that Argon2id makes of the passphrase. From the data key come the key that signs manifests and,
//! for each sealed object, a key of its own.
//!
//! An object's key is HMAC-SHA256 of a fresh salt, so no two objects ever share key and nonce, however
//! many are written or written again. What names the object is associated data of AES-256-GCM: an
//! object put in another's place does not open.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};

use super::hex;
use crate::model::Secret;

const KEY: usize = 32;
const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
/// What sealing adds to an object.
pub const OVERHEAD: usize = SALT + NONCE + TAG;
/// Of these, what stands in front.
pub const SEAL_HEAD: usize = SALT + NONCE;

/// What a passphrase protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Nothing: hashes find accidents, not an attacker.
    None,
    /// Manifests are signed, and with them the hashes of all objects; nothing is secret.
    Signed,
    /// All is encrypted and authenticated.
    Sealed,
}

/// What making a key of a passphrase costs, the user and whoever guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    /// 64 MiB and three passes: RFC 9106's second recommendation, but in one lane.
    fn default() -> Cost {
        Cost {
            memory_kib: 64 << 10,
            passes: 3,
        }
    }
}

/// The data key as it stands in the repository's config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// `argon2id`.
    pub kdf: String,
    /// Argon2's memory, KiB.
    pub memory_kib: u32,
    /// Argon2's passes.
    pub passes: u32,
    /// Argon2's lanes.
    pub lanes: u32,
    /// Argon2's salt, hexadecimal.
    pub salt: String,
    /// AES-256-GCM: nonce, encrypted key and tag, hexadecimal.
    pub key: String,
}

/// Why keys could not be had or did not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The passphrase is not the repository's.
    #[error("the passphrase does not open this repository")]
    WrongPassphrase,
    /// The config names a derivation that this program does not know or will not run.
    #[error("the repository's key cannot be derived: {why}")]
    BadKdf {
        /// What is wrong.
        why: String,
    },
    /// An empty one.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The identity is none, or none that the repository is for.
    #[error("the identity does not open this repository")]
    WrongIdentity,
    /// What was given is no recipient.
    #[error("'{recipient}' is no age recipient: {why}")]
    BadRecipient {
        /// What was given.
        recipient: String,
        /// What is wrong.
        why: String,
    },
    /// An identity, in a program that cannot read it.
    #[error("this goodcache was built without age, and an age identity was given")]
    NoAge,
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl CryptoError {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            CryptoError::WrongPassphrase => {
                "give the passphrase that the repository was made with; without it nobody can read it"
            }
            CryptoError::BadKdf { .. } => "use the goodcache that made it, or a newer one",
            CryptoError::EmptyPassphrase => "check the file or variable it comes from",
            CryptoError::WrongIdentity => {
                "give an identity of one of its recipients (config.json there names them), or its \
                 passphrase"
            }
            CryptoError::BadRecipient { .. } => "give what age-keygen calls the public key: age1...",
            CryptoError::NoAge => "build it with: cargo install --path . --features age",
            CryptoError::NoRandomness => "check that /dev/urandom can be read",
        }
        .to_owned()
    }
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CryptoError::NoRandomness)?;
    Ok(bytes)
}

/// The keys of an opened repository. Prints as `(set)`.
pub struct Keys {
    objects: SecretBox<[u8; KEY]>,
    manifests: hmac::Key,
    log: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// From what all keys come: random, and kept wrapped alone.
pub struct DataKey(SecretBox<[u8; KEY]>);

impl DataKey {
    /// A new one.
    pub fn new() -> Result<DataKey, CryptoError> {
        Ok(DataKey(SecretBox::new(Box::new(random::<KEY>()?))))
    }

    /// The one that stands before what it is bound to.
    #[cfg(feature = "age")]
    pub(super) fn behind(bytes: &[u8], bound: &[u8]) -> Option<DataKey> {
        let (key, rest) = bytes.split_first_chunk::<KEY>()?;
        (rest == bound).then(|| DataKey(SecretBox::new(Box::new(*key))))
    }

    pub(super) fn expose(&self) -> &[u8; KEY] {
        self.0.expose_secret()
    }

    /// The keys that come of it.
    pub fn keys(&self) -> Keys {
        Keys::from_data(&self.0)
    }

    /// How it stands in the config for a passphrase. `bound` is what of the config must not change.
    /// Takes as long as [`Cost`] says: not for an async thread.
    pub fn wrap(
        &self,
        passphrase: &Secret,
        cost: Cost,
        bound: &str,
    ) -> Result<WrappedKey, CryptoError> {
        let salt = random::<SALT>()?;
        let mut wrapped = WrappedKey {
            kdf: "argon2id".to_owned(),
            memory_kib: cost.memory_kib,
            passes: cost.passes,
            lanes: 1,
            salt: hex::encode(&salt),
            key: String::new(),
        };
        let wrapping = derive(passphrase, &wrapped)?;
        let nonce = random::<NONCE>()?;
        let mut body = self.expose().to_vec();
        cipher(wrapping.expose_secret())
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound.as_bytes()),
                &mut body,
            )
            .map_err(|_| CryptoError::NoRandomness)?;
        wrapped.key = hex::encode(&[nonce.as_slice(), &body].concat());
        Ok(wrapped)
    }
}

impl Keys {
    /// New ones, and how they stand in the config.
    #[cfg(test)]
    pub fn create(
        passphrase: &Secret,
        cost: Cost,
        bound: &str,
    ) -> Result<(Keys, WrappedKey), CryptoError> {
        let data = DataKey::new()?;
        let wrapped = data.wrap(passphrase, cost, bound)?;
        Ok((data.keys(), wrapped))
    }

    /// Those of the config. Takes as long as its cost says: not for an async thread.
    pub fn open(
        passphrase: &Secret,
        wrapped: &WrappedKey,
        bound: &str,
    ) -> Result<Keys, CryptoError> {
        let wrapping = derive(passphrase, wrapped)?;
        let body: [u8; NONCE + KEY + TAG] =
            hex::decode(&wrapped.key).ok_or_else(|| bad_kdf("the wrapped key is damaged"))?;
        let (nonce, mut body) = (first::<NONCE>(&body), body[NONCE..].to_vec());
        let opened = cipher(wrapping.expose_secret())
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound.as_bytes()),
                &mut body,
            )
            .map_err(|_| CryptoError::WrongPassphrase)?;
        Ok(Keys::from_data(&SecretBox::new(Box::new(first::<KEY>(
            opened,
        )))))
    }

    fn from_data(data: &SecretBox<[u8; KEY]>) -> Keys {
        let root = hmac::Key::new(hmac::HMAC_SHA256, data.expose_secret());
        let objects = hmac::sign(&root, b"goodcache 1 objects");
        let manifests = hmac::sign(&root, b"goodcache 1 manifests");
        let log = hmac::sign(&root, b"goodcache 1 log");
        Keys {
            objects: SecretBox::new(Box::new(first::<KEY>(objects.as_ref()))),
            manifests: hmac::Key::new(hmac::HMAC_SHA256, manifests.as_ref()),
            log: hmac::Key::new(hmac::HMAC_SHA256, log.as_ref()),
        }
    }

    /// Encrypts: salt, nonce, encrypted bytes, tag. `bound` must be given again to open it.
    #[cfg(test)]
    pub fn seal(&self, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.extend_from_slice(&[0; SEAL_HEAD]);
        sealed.extend_from_slice(plain);
        self.seal_in_place(bound, &mut sealed, 0)?;
        Ok(sealed)
    }

    /// Encrypts all that stands [`SEAL_HEAD`] bytes behind `at`, where it writes salt and nonce; the tag
    /// is appended.
    pub fn seal_in_place(
        &self,
        bound: &[u8],
        bytes: &mut Vec<u8>,
        at: usize,
    ) -> Result<(), CryptoError> {
        let (salt, nonce) = (random::<SALT>()?, random::<NONCE>()?);
        bytes[at..at + SALT].copy_from_slice(&salt);
        bytes[at + SALT..at + SEAL_HEAD].copy_from_slice(&nonce);
        let tag = self
            .cipher_of(&salt)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound),
                &mut bytes[at + SEAL_HEAD..],
            )
            // It fails for more than 64 GiB alone.
            .map_err(|_| CryptoError::NoRandomness)?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Decrypts; `None` when anything is not as it was sealed, or was sealed for another place or by
    /// other keys.
    #[cfg(test)]
    pub fn unseal(&self, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = sealed.to_vec();
        self.unseal_in_place(bound, &mut sealed)
            .map(|plain| plain.to_vec())
    }

    /// The same where it stands.
    pub fn unseal_in_place<'a>(&self, bound: &[u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        if sealed.len() < OVERHEAD {
            return None;
        }
        let (salt, rest) = sealed.split_at_mut(SALT);
        let (nonce, body) = rest.split_at_mut(NONCE);
        let plain = self
            .cipher_of(salt)
            .open_in_place(
                Nonce::assume_unique_for_key(first(nonce)),
                Aad::from(bound),
                body,
            )
            .ok()?;
        Some(plain)
    }

    fn cipher_of(&self, salt: &[u8]) -> LessSafeKey {
        let root = hmac::Key::new(hmac::HMAC_SHA256, self.objects.expose_secret());
        cipher(&first::<KEY>(hmac::sign(&root, salt).as_ref()))
    }

    /// The signature of a manifest's bytes, hexadecimal.
    pub fn sign(&self, body: &[u8]) -> String {
        hex::encode(hmac::sign(&self.manifests, body).as_ref())
    }

    /// Whether it is theirs; compared in constant time.
    pub fn is_signature(&self, body: &[u8], signature: &str) -> bool {
        hex::decode::<KEY>(signature)
            .is_some_and(|tag| hmac::verify(&self.manifests, body, &tag).is_ok())
    }
}

impl Keys {
    /// The signature of an object of a time line, which no manifest lists.
    pub fn sign_log(&self, stored: &[u8]) -> String {
        hex::encode(hmac::sign(&self.log, stored).as_ref())
    }

    /// Whether it is theirs; compared in constant time.
    pub fn is_log_signature(&self, stored: &[u8], signature: &str) -> bool {
        hex::decode::<KEY>(signature)
            .is_some_and(|tag| hmac::verify(&self.log, stored, &tag).is_ok())
    }
}

fn cipher(key: &[u8; KEY]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256");
    LessSafeKey::new(key)
}

/// The config is data from outside: what it asks for must stay within what a machine can bear.
fn derive(passphrase: &Secret, wrapped: &WrappedKey) -> Result<SecretBox<[u8; KEY]>, CryptoError> {
    const MOST_KIB: u32 = 1 << 20;
    const MOST_PASSES: u32 = 64;
    const MOST_LANES: u32 = 16;
    if passphrase.expose().is_empty() {
        return Err(CryptoError::EmptyPassphrase);
    }
    if wrapped.kdf != "argon2id" {
        return Err(bad_kdf(&format!("'{}' is not known", wrapped.kdf)));
    }
    let WrappedKey {
        memory_kib,
        passes,
        lanes,
        ..
    } = *wrapped;
    if memory_kib > MOST_KIB || passes > MOST_PASSES || lanes > MOST_LANES {
        return Err(bad_kdf("it would take more than 1 GiB or 64 passes"));
    }
    let salt: [u8; SALT] =
        hex::decode(&wrapped.salt).ok_or_else(|| bad_kdf("the salt is damaged"))?;
    let params = Params::new(memory_kib, passes, lanes, Some(KEY))
        .map_err(|why| bad_kdf(&why.to_string()))?;
    let mut key = SecretBox::new(Box::new([0; KEY]));
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(
            passphrase.expose().as_bytes(),
            &salt,
            secrecy::ExposeSecretMut::expose_secret_mut(&mut key),
        )
        .map_err(|why| bad_kdf(&why.to_string()))?;
    Ok(key)
}

fn bad_kdf(why: &str) -> CryptoError {
    CryptoError::BadKdf {
        why: why.to_owned(),
    }
}

/// The first bytes; the callers have seen that there are so many.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut own = [0; N];
    own.copy_from_slice(&bytes[..N]);
    own
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As little as Argon2 allows.
    pub const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
    };

    pub fn keys() -> Keys {
        Keys::create(&Secret::new("pass"), CHEAP, "").unwrap().0
    }

    #[test]
    fn only_the_passphrase_and_the_very_config_open() {
        let secret = Secret::new("correct horse");
        let (keys, wrapped) = Keys::create(&secret, CHEAP, "repository 1").unwrap();
        let sealed = keys.seal(b"place", b"body").unwrap();
        let again = Keys::open(&secret, &wrapped, "repository 1").unwrap();
        assert_eq!(again.unseal(b"place", &sealed).unwrap(), b"body");
        assert!(again.is_signature(b"m", &keys.sign(b"m")));

        let open = |secret: &str, wrapped: &WrappedKey, bound: &str| {
            Keys::open(&Secret::new(secret), wrapped, bound).unwrap_err()
        };
        let wrong = CryptoError::WrongPassphrase;
        assert_eq!(open("correct horsE", &wrapped, "repository 1"), wrong);
        assert_eq!(open("correct horse", &wrapped, "repository 2"), wrong);
        assert_eq!(
            open("", &wrapped, "repository 1"),
            CryptoError::EmptyPassphrase
        );
        let salt = WrappedKey {
            salt: "00".repeat(16),
            ..wrapped.clone()
        };
        assert_eq!(open("correct horse", &salt, "repository 1"), wrong);
        let key = WrappedKey {
            key: wrapped.key.replace(&wrapped.key[30..40], "0000000000"),
            ..wrapped.clone()
        };
        assert_eq!(open("correct horse", &key, "repository 1"), wrong);
    }

    #[test]
    fn a_config_that_asks_for_the_moon_is_refused() {
        let secret = Secret::new("p");
        let (_, wrapped) = Keys::create(&secret, CHEAP, "").unwrap();
        for bad in [
            WrappedKey {
                memory_kib: u32::MAX,
                ..wrapped.clone()
            },
            WrappedKey {
                passes: u32::MAX,
                ..wrapped.clone()
            },
            WrappedKey {
                lanes: 0,
                ..wrapped.clone()
            },
            WrappedKey {
                kdf: "md5".to_owned(),
                ..wrapped.clone()
            },
            WrappedKey {
                salt: "ff".to_owned(),
                ..wrapped.clone()
            },
            WrappedKey {
                key: String::new(),
                ..wrapped.clone()
            },
        ] {
            let error = Keys::open(&secret, &bad, "").unwrap_err();
            assert!(matches!(error, CryptoError::BadKdf { .. }), "{error}");
        }
    }

    #[test]
    fn sealed_bytes_open_in_their_place_alone() {
        let (keys, others) = (keys(), keys());
        let sealed = keys.seal(b"here", b"body").unwrap();
        assert_eq!(sealed.len(), 4 + OVERHEAD);
        assert_ne!(sealed, keys.seal(b"here", b"body").unwrap());
        assert_eq!(keys.unseal(b"there", &sealed), None);
        assert_eq!(others.unseal(b"here", &sealed), None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(keys.unseal(b"here", &flipped), None, "byte {at}");
            assert_eq!(keys.unseal(b"here", &sealed[..at]), None, "cut at {at}");
        }
        assert!(!keys.is_signature(b"body", &keys.sign(b"bodY")));
        assert!(!keys.is_signature(b"body", "zz"));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let secret = Secret::new("hunter2");
        let (keys, _) = Keys::create(&secret, CHEAP, "").unwrap();
        assert_eq!(format!("{keys:?} {secret:?} {secret}"), "(set) (set) (set)");
    }
}
