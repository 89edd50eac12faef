use std::io;

use super::Profile;
use crate::world::Guest;

const WHY: &str = "programs of others run in a world on Linux alone, on x86-64 and aarch64";

impl Profile {
    /// Fails: there are no foreign programs on this system.
    ///
    /// # Errors
    /// Always.
    pub fn guest(&self) -> io::Result<Guest> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    /// Fails: there are no foreign programs on this system.
    ///
    /// # Errors
    /// Always.
    pub fn live_guest(&self) -> io::Result<Guest> {
        self.guest()
    }

    /// Fails: there are no foreign programs on this system.
    ///
    /// # Errors
    /// Always.
    pub fn check_command(&self) -> Result<(), String> {
        Err(WHY.to_owned())
    }
}
