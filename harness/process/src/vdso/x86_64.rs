use super::{Layout, Patch, Region, SCRATCH_SIZE, Scratch};
use crate::sys::stubs;

/// `mov eax, number; syscall`
const WAIT: [u8; 7] = [0xb8, 232, 0, 0, 0, 0x0f, 0x05];
/// `mov eax, -ENOSYS; ret`: the caller makes the system call.
const NOT_HERE: [u8; 6] = [0xb8, 0xda, 0xff, 0xff, 0xff, 0xc3];

pub(super) fn layout(region: &Region, symbols: &[(String, u64)], scratch: Option<Scratch>) -> Layout {
    let find = |name: &str| symbols.iter().find(|(symbol, _)| symbol == name).map(|(_, offset)| region.base + offset);
    let mut patches = Vec::new();
    patches.extend(find("__vdso_getrandom").map(|at| (at, NOT_HERE.to_vec())));
    let functions: [(&str, u8, &[u8]); 3] = [
        ("__vdso_clock_gettime", 228, stubs::clock_gettime()),
        ("__vdso_gettimeofday", 96, stubs::gettimeofday()),
        ("__vdso_time", 201, stubs::time()),
    ];
    let end = region.base + region.image.len() as u64;
    // Nothing uses the zeros at the end.
    let unused = region.image.iter().rev().take_while(|byte| **byte == 0).count();
    let mut at = (end - unused as u64).next_multiple_of(16) + 16;
    let needed: usize = functions.iter().map(|(.., code)| code.len() + 16).sum::<usize>() + SCRATCH_SIZE;
    if at + needed as u64 > end {
        // No room: each look at a clock is asked about.
        patches.extend(functions.iter().filter_map(|(name, number, _)| Some((find(name)?, call(*number).to_vec()))));
        return Layout { patches, ..Layout::default() };
    }
    let scratch = scratch.unwrap_or_else(|| {
        let own = Scratch { at, is_writable: false };
        at += SCRATCH_SIZE as u64;
        own
    });
    for (name, _, code) in functions {
        let Some(function) = find(name) else { continue };
        patches.push((at, with_scratch(code, scratch)));
        patches.extend(jump(function, at).map(|jump| (function, jump.to_vec())));
        at = (at + code.len() as u64).next_multiple_of(16);
    }
    Layout { patches, scratch: Some(scratch), free: (at, end) }
}

/// Plans how a wait that has just been asked about becomes one that goes on by itself under a lease: `instruction` is the
/// address behind the call, and `code` the bytes before it. Nothing if it is not such a wait, or too far away.
pub(crate) fn patch_wait(free: &mut (u64, u64), scratch: Scratch, instruction: u64, code: &[u8]) -> Option<[Patch; 2]> {
    if !code.ends_with(&WAIT) {
        return None;
    }
    let site = instruction - WAIT.len() as u64;
    let at = free.0;
    let mut stub = with_scratch(stubs::epoll_wait(), scratch);
    stub.extend(jump(at + stub.len() as u64, instruction)?);
    let mut there = jump(site, at)?.to_vec();
    there.extend([0x66, 0x90]); // two bytes that do nothing
    let next = (at + stub.len() as u64).next_multiple_of(16);
    if next > free.1 {
        return None;
    }
    free.0 = next;
    Some([(at, stub), (site, there)])
}

/// `jmp`, if it reaches.
fn jump(from: u64, to: u64) -> Option<[u8; 5]> {
    let distance = i32::try_from((to as i64).checked_sub(from as i64 + 5)?).ok()?;
    let [a, b, c, d] = distance.to_le_bytes();
    Some([0xe9, a, b, c, d])
}

/// `mov eax, number; syscall; ret`
fn call(number: u8) -> [u8; 8] {
    [0xb8, number, 0, 0, 0, 0x0f, 0x05, 0xc3]
}

fn with_scratch(code: &[u8], scratch: Scratch) -> Vec<u8> {
    let mut code = code.to_vec();
    if let Some(at) = code.windows(8).position(|bytes| bytes == stubs::SCRATCH) {
        code[at..at + 8].copy_from_slice(&scratch.at.to_le_bytes());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRATCH: Scratch = Scratch { at: 0x7fff_1234_5670, is_writable: true };

    fn own() -> Region {
        Region::find(crate::proc::own()).expect("maps can be read").expect("there is a vDSO")
    }

    #[test]
    fn code_is_put_where_nothing_was() {
        let region = own();
        let layout = super::super::layout(&region, Some(SCRATCH));
        assert_eq!(layout.scratch, Some(SCRATCH));
        assert_eq!(layout.patches.iter().filter(|(_, bytes)| bytes.len() > 8).count(), 3);
        for (at, bytes) in layout.patches.iter().filter(|(_, bytes)| bytes.len() > 8) {
            let offset = (at - region.base) as usize;
            assert!(region.image[offset..offset + bytes.len()].iter().all(|byte| *byte == 0));
            assert!(!bytes.windows(8).any(|bytes| bytes == stubs::SCRATCH), "the address is filled in");
        }
    }

    #[test]
    fn without_memory_of_its_own_the_time_is_in_the_vdso() {
        let region = own();
        let scratch = super::super::layout(&region, None).scratch.expect("there is room");
        let (from, to) = region.range();
        assert!((from..to).contains(&scratch.at) && !scratch.is_writable);
    }

    #[test]
    fn without_room_all_clocks_are_asked() {
        let mut region = own();
        *region.image.last_mut().expect("it is not empty") = 1;
        let layout = super::super::layout(&region, Some(SCRATCH));
        assert_eq!(layout.scratch, None);
        assert_eq!(layout.patches.iter().filter(|(_, bytes)| bytes.ends_with(&[0x0f, 0x05, 0xc3])).count(), 3);
    }

    #[test]
    fn a_wait_is_patched_where_it_is_the_known_code() {
        let mut free = (0x7000_0000, 0x7000_1000);
        let mut code = vec![0x90];
        code.extend(WAIT);
        let [(stub, bytes), (site, there)] =
            patch_wait(&mut free, SCRATCH, 0x7100_0007, &code).expect("it is the known code");
        assert_eq!((stub, site, there.len()), (0x7000_0000, 0x7100_0000, WAIT.len()));
        assert_eq!(there[..5], jump(site, stub).expect("it is near"));
        assert_eq!(bytes[bytes.len() - 5..], jump(stub + bytes.len() as u64 - 5, 0x7100_0007).expect("it is near"));
        assert!(free.0 > stub && free.0 % 16 == 0);

        assert_eq!(patch_wait(&mut free, SCRATCH, 0x7100_0007, &[0x90; 7]), None, "other code");
        assert_eq!(patch_wait(&mut free, SCRATCH, 0x7fff_7100_0007, &code), None, "too far away");
        assert_eq!(patch_wait(&mut (0, 8), SCRATCH, 0x7100_0007, &code), None, "no room");
    }
}
