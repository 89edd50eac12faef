use std::io;

use super::Profile;
use crate::world::ProgramUnderTest;

const WHY: &str = "programs of others run in a world on Linux alone, on x86-64 and aarch64";

impl Profile {
    /// Fails: there are no foreign programs on this system.
    ///
    /// # Errors
    /// Always.
    pub fn program_under_test(&self) -> io::Result<ProgramUnderTest> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    /// Fails: there are no foreign programs on this system.
    ///
    /// # Errors
    /// Always.
    pub fn live_guest(&self) -> io::Result<ProgramUnderTest> {
        self.program_under_test()
    }

    /// Fails: there are no foreign programs on this system.
    ///
    /// # Errors
    /// Always.
    pub fn check_command(&self) -> Result<(), String> {
        Err(WHY.to_owned())
    }
}
