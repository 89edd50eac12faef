/// The named defect that is switched on in a core, if any: for the harness, which shows that it catches them.
///
/// Without the cargo feature `defects` none can be, and the compiler leaves out what asks for it.
#[derive(Clone, Copy, Debug)]
pub struct DefectSwitch<D> {
    #[cfg(feature = "defects")]
    on: Option<D>,
    #[cfg(not(feature = "defects"))]
    on: std::marker::PhantomData<D>,
}

impl<D: PartialEq> DefectSwitch<D> {
    /// With this defect.
    #[cfg(feature = "defects")]
    pub const fn on(defect: D) -> Self {
        Self { on: Some(defect) }
    }

    /// Whether it is this one.
    #[inline]
    pub fn has(&self, defect: &D) -> bool {
        #[cfg(feature = "defects")]
        let has = self.on.as_ref() == Some(defect);
        #[cfg(not(feature = "defects"))]
        let has = {
            let _ = defect;
            false
        };
        has
    }
}

/// With none.
impl<D> Default for DefectSwitch<D> {
    fn default() -> Self {
        Self { on: Default::default() }
    }
}
