use super::{Layout, Patch, Region, Scratch};

/// `svc #0; ret`
const CALL_AND_RETURN: [u32; 2] = [0xd400_0001, 0xd65f_03c0];
/// `mov x0, #-ENOSYS; ret`: the caller makes the system call.
const NOT_HERE: [u32; 2] = [0x9280_04a0, 0xd65f_03c0];

/// Replaces each function by its system call, which is asked about.
pub(super) fn layout(region: &Region, symbols: &[(String, u64)], _scratch: Option<Scratch>) -> Layout {
    let code = |name: &str| match name {
        "__kernel_clock_gettime" => Some(call(113)),
        "__kernel_gettimeofday" => Some(call(169)),
        "__kernel_getrandom" => Some(bytes(&NOT_HERE)),
        _ => None,
    };
    let patches = symbols.iter().filter_map(|(name, offset)| Some((region.base + offset, code(name)?))).collect();
    Layout { patches, ..Layout::default() }
}

/// There are no leases on this architecture.
pub(crate) fn patch_wait(_: &mut (u64, u64), _: Scratch, _: u64, _: &[u8]) -> Option<[Patch; 2]> {
    None
}

/// `mov x8, #number; svc #0; ret`
fn call(number: u32) -> Vec<u8> {
    let mut code = bytes(&[0xd280_0008 | number << 5]);
    code.extend(bytes(&CALL_AND_RETURN));
    code
}

fn bytes(instructions: &[u32]) -> Vec<u8> {
    instructions.iter().flat_map(|instruction| instruction.to_le_bytes()).collect()
}
