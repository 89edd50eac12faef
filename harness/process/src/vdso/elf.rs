/// Returns the dynamic symbols of a 64-bit little-endian ELF image with their offsets; none if it is not one.
///
/// The image comes from the kernel, but nothing in it is believed without a look.
pub(super) fn symbols(image: &[u8]) -> Option<Vec<(String, u64)>> {
    const SECTION_SIZE: usize = 64;
    const SYMBOL_SIZE: usize = 24;
    const SHT_DYNSYM: u64 = 11;
    if image.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let sections = number(image, 40, 8)?;
    let count = number(image, 60, 2)?;
    let section = |index: usize| sections.checked_add(SECTION_SIZE.checked_mul(index)?);
    let mut found = Vec::new();
    for index in 0..count {
        let at = section(index)?;
        if number(image, at.checked_add(4)?, 4)? as u64 != SHT_DYNSYM {
            continue;
        }
        let (offset, size) = (number(image, at + 24, 8)?, number(image, at + 32, 8)?);
        let strings = number(image, section(number(image, at + 40, 4)?)?.checked_add(24)?, 8)?;
        for symbol in image.get(offset..offset.checked_add(size)?)?.chunks_exact(SYMBOL_SIZE) {
            let name = image.get(strings.checked_add(number(symbol, 0, 4)?)?..)?;
            let name = name.split(|byte| *byte == 0).next()?;
            found.push((String::from_utf8_lossy(name).into_owned(), number(symbol, 8, 8)? as u64));
        }
    }
    Some(found)
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Region;
    use super::*;

    fn own_image() -> Vec<u8> {
        Region::find(crate::proc::own()).expect("maps can be read").expect("there is a vDSO").image
    }

    #[test]
    fn clocks_of_the_own_vdso_are_found() {
        let symbols = symbols(&own_image()).expect("the vDSO is an ELF image");
        assert!(symbols.iter().any(|(name, offset)| name.ends_with("_clock_gettime") && *offset > 0), "{symbols:?}");
    }

    proptest! {
        #[test]
        fn an_image_with_wrong_bytes_never_panics(changes in prop::collection::vec((0..8192usize, any::<u8>()), 1..40)) {
            let mut image = own_image();
            for (at, byte) in changes {
                let at = at % image.len();
                image[at] = byte;
            }
            let _ = symbols(&image);
        }
    }
}
