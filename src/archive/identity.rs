//! Repositories that age identities open: the data key is kept once more for each recipient, as an age
//! file of its own, bound to the repository like the one that a passphrase wraps.
//!
//! What opens a repository stands where a passphrase does; an identity is known by how it begins. All of
//! it needs the feature `age`: without it an identity is refused by name.

use serde::{Deserialize, Serialize};

use super::crypto::{CryptoError, DataKey};
use crate::model::Secret;

/// How an identity begins.
const IDENTITY: &str = "AGE-SECRET-KEY-1";

/// The data key as one recipient can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFor {
    /// Whose: `age1...`.
    pub recipient: String,
    /// An age file, hexadecimal: the data key, then what it is bound to.
    pub key: String,
}

/// Whether that is an identity and no passphrase.
pub fn is_identity(secret: &Secret) -> bool {
    secret.expose().starts_with(IDENTITY)
}

#[cfg(feature = "age")]
mod with_age {
    use std::str::FromStr;

    use age::x25519::{Identity, Recipient};

    use super::*;
    use crate::archive::hex;

    /// The data key for a recipient.
    ///
    /// # Errors
    /// When that is no recipient.
    pub fn wrap(data: &DataKey, recipient: &str, bound: &str) -> Result<KeyFor, CryptoError> {
        let bad = |why: &str| CryptoError::BadRecipient {
            recipient: recipient.to_owned(),
            why: why.to_owned(),
        };
        let to = Recipient::from_str(recipient.trim()).map_err(bad)?;
        let plain = [data.expose().as_slice(), bound.as_bytes()].concat();
        let sealed = age::encrypt(&to, &plain).map_err(|error| bad(&error.to_string()))?;
        Ok(KeyFor {
            recipient: to.to_string(),
            key: hex::encode(&sealed),
        })
    }

    /// The recipient that belongs to an identity.
    ///
    /// # Errors
    /// When it is no identity.
    pub fn recipient_of(identity: &Secret) -> Result<String, CryptoError> {
        Ok(parsed(identity)?.to_public().to_string())
    }

    /// The data key, by one of these.
    ///
    /// # Errors
    /// When none of them is for that identity.
    pub fn unwrap(keys: &[KeyFor], identity: &Secret, bound: &str) -> Result<DataKey, CryptoError> {
        let identity = parsed(identity)?;
        let own = identity.to_public().to_string();
        let key = keys.iter().find(|key| key.recipient == own);
        let opened = key
            .and_then(|key| hex::decode_any(&key.key))
            .and_then(|sealed| age::decrypt(&identity, &sealed).ok())
            .ok_or(CryptoError::WrongIdentity)?;
        DataKey::behind(&opened, bound.as_bytes()).ok_or(CryptoError::WrongIdentity)
    }

    fn parsed(identity: &Secret) -> Result<Identity, CryptoError> {
        Identity::from_str(identity.expose().trim()).map_err(|_| CryptoError::WrongIdentity)
    }
}

#[cfg(not(feature = "age"))]
mod without_age {
    use super::*;

    pub fn wrap(_: &DataKey, _: &str, _: &str) -> Result<KeyFor, CryptoError> {
        Err(CryptoError::NoAge)
    }

    pub fn recipient_of(_: &Secret) -> Result<String, CryptoError> {
        Err(CryptoError::NoAge)
    }

    pub fn unwrap(_: &[KeyFor], _: &Secret, _: &str) -> Result<DataKey, CryptoError> {
        Err(CryptoError::NoAge)
    }
}

#[cfg(feature = "age")]
pub(super) use with_age::{recipient_of, unwrap, wrap};
#[cfg(not(feature = "age"))]
pub(super) use without_age::{recipient_of, unwrap, wrap};

#[cfg(all(test, feature = "age"))]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    fn identity() -> Secret {
        let identity = age::x25519::Identity::generate();
        Secret::new(identity.to_string().expose_secret().to_owned())
    }

    #[test]
    fn only_who_it_is_for_opens_it_and_only_there() {
        let (own, other) = (identity(), identity());
        assert!(is_identity(&own) && !is_identity(&Secret::new("pass")));
        let data = DataKey::new().unwrap();
        let recipient = recipient_of(&own).unwrap();
        let keys = [wrap(&data, &recipient, "here").unwrap()];
        let opened = unwrap(&keys, &own, "here").unwrap();
        assert_eq!(opened.expose(), data.expose());
        for (identity, bound) in [(&other, "here"), (&own, "elsewhere")] {
            let refused = unwrap(&keys, identity, bound).err();
            assert_eq!(refused, Some(CryptoError::WrongIdentity));
        }
        assert!(matches!(
            wrap(&data, "age1nonsense", "here"),
            Err(CryptoError::BadRecipient { .. })
        ));
    }
}
