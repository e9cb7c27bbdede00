//! Just enough of the tar format (POSIX ustar) to hand an engine a few small files with their
//! owner, and to read one back: that is how files go into a container that does not run yet.

/// The owner of an entry, by numbers, since the names of this machine mean nothing in an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// An archive being written.
#[derive(Default)]
pub struct Tarball(Vec<u8>);

const BLOCK: usize = 512;

impl Tarball {
    /// Adds a folder that only its owner may enter.
    pub fn folder(mut self, path: &str, owner: Owner) -> Tarball {
        self.0
            .extend_from_slice(&header(path, owner, 0o700, 0, b'5'));
        self
    }

    /// Adds a file that only its owner may read.
    pub fn file(mut self, path: &str, owner: Owner, content: &[u8]) -> Tarball {
        self.0
            .extend_from_slice(&header(path, owner, 0o600, content.len(), b'0'));
        self.0.extend_from_slice(content);
        let end = self.0.len().next_multiple_of(BLOCK);
        self.0.resize(end, 0);
        self
    }

    /// The archive, with the two empty blocks that end it.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }
}

/// A header block. The numbers are octal text; the checksum is the sum of all bytes with itself
/// taken as spaces. Paths are ours, relative and far shorter than the field of 100 bytes.
fn header(path: &str, owner: Owner, mode: u32, size: usize, kind: u8) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    let path = path.trim_start_matches('/').as_bytes();
    put(0, &path[..path.len().min(99)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, format!("{:07o}", owner.uid & 0o7_777_777).as_bytes());
    put(116, format!("{:07o}", owner.gid & 0o7_777_777).as_bytes());
    put(124, format!("{size:011o}").as_bytes());
    put(136, format!("{:011o}", 0).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// The content of the first plain file in an archive.
pub fn first_file(archive: &[u8]) -> Option<&[u8]> {
    let mut rest = archive;
    while rest.len() >= BLOCK && rest[0] != 0 {
        let size = std::str::from_utf8(&rest[124..136]).ok()?;
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
        if matches!(rest[156], b'0' | 0) {
            return rest.get(BLOCK..BLOCK.checked_add(size)?);
        }
        rest = rest.get(BLOCK.checked_add(size.checked_next_multiple_of(BLOCK)?)?..)?;
    }
    None
}

/// The owner of an archive's first entry.
pub fn first_owner(archive: &[u8]) -> Option<Owner> {
    let number = |from: usize| {
        let digits = std::str::from_utf8(archive.get(from..from + 8)?).ok()?;
        u32::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok()
    };
    Some(Owner {
        uid: number(108)?,
        gid: number(116)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn the_tar_of_this_machine_reads_it() {
        let owner = Owner {
            uid: 999,
            gid: 1000,
        };
        let archive = Tarball::default()
            .folder("/etc/goodcache/", owner)
            .file("/etc/goodcache/node.conf", owner, b"port 7001\n")
            .finish();
        let mut tar = Command::new("tar")
            .args(["--numeric-owner", "-tv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let listing = tar.wait_with_output().unwrap();
        assert!(listing.status.success());
        let listing = String::from_utf8(listing.stdout).unwrap();
        assert!(listing.contains("drwx------ 999/1000"), "{listing}");
        assert!(listing.contains("-rw------- 999/1000"), "{listing}");
        assert!(listing.contains("etc/goodcache/node.conf"), "{listing}");
    }

    #[test]
    fn a_file_is_found_behind_a_folder() {
        let archive = Tarball::default()
            .folder("etc", Owner::default())
            .file("etc/passwd", Owner::default(), b"root:x:0:0\n")
            .finish();
        assert_eq!(first_file(&archive), Some(&b"root:x:0:0\n"[..]));
        let owner = Owner {
            uid: 999,
            gid: 1000,
        };
        let owned = Tarball::default().file("a", owner, b"x").finish();
        assert_eq!(first_owner(&owned), Some(owner));
        assert_eq!(first_owner(b"short"), None);
    }

    #[test]
    fn a_broken_archive_holds_nothing() {
        let mut archive = Tarball::default()
            .file("a", Owner::default(), &[7; 600])
            .finish();
        assert_eq!(first_file(&archive[..700]), None);
        archive[124..136].copy_from_slice(b"99999999999\0");
        assert_eq!(first_file(&archive), None);
        assert_eq!(first_file(b""), None);
    }
}
