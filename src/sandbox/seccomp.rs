//! System calls that no worker needs and that are ways out of a cell, or doors to the kernel's least tested rooms.
//!
//! A list of what is refused, not of what is allowed: agents run compilers, browsers and databases, and the walls are
//! the file system and the network. Refused calls fail with EPERM, so programs can do without.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Which walls the filter has to make up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walls {
    /// The cell has a network of its own, and no sockets of others in sight.
    OwnNetwork,
    /// The cell shares the machine's network, where only connections by TCP are fenced in.
    SharedNetwork,
}

/// Keys of others, programs in the kernel, new namespaces and mounts, faults handled by hand, calls past the filter.
const REFUSED: [libc::c_long; 36] = [
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_syslog,
];

/// Types of sockets other than streams.
const NO_STREAM: [i32; 5] = [
    libc::SOCK_DGRAM,
    libc::SOCK_RAW,
    libc::SOCK_RDM,
    libc::SOCK_SEQPACKET,
    10,
];

/// The filter, ready to be loaded.
pub(super) fn filter(walls: Walls) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, sockets(walls)?);
    // A new user namespace by clone; what clone3 asks for cannot be seen, so libraries are sent back to clone.
    let newuser = masked(0, libc::CLONE_NEWUSER as u64, libc::CLONE_NEWUSER as u64)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![newuser])?]);
    // Keys pressed for somebody else's terminal.
    let pressed = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| equal(1, request));
    let pressed = pressed.into_iter().map(|found| SeccompRule::new(vec![found?]));
    rules.insert(libc::SYS_ioctl, pressed.collect::<Result<_, _>>()?);
    if walls == Walls::SharedNetwork {
        // Data in the very packet that opens a connection goes past the check of connections.
        let fast = libc::MSG_FASTOPEN as u64;
        for (call, at) in [
            (libc::SYS_sendto, 3),
            (libc::SYS_sendmsg, 2),
            (libc::SYS_sendmmsg, 3),
        ] {
            rules.insert(call, vec![SeccompRule::new(vec![masked(at, fast, fast)?])?]);
        }
    }
    build(rules, libc::EPERM)
}

/// The filter that sends libraries from clone3 back to clone.
pub(super) fn no_clone3() -> Result<BpfProgram, seccompiler::BackendError> {
    build([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)
}

fn build(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: i32,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// Sockets that are refused: families that reach past a network of one's own, and with a shared one whatever
/// is no plain TCP.
fn sockets(walls: Walls) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let mut known = vec![libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    if walls == Walls::OwnNetwork {
        known.push(libc::AF_UNIX);
    }
    let foreign = known
        .iter()
        .map(|family| differs(0, *family))
        .collect::<Result<_, _>>()?;
    let mut rules = vec![SeccompRule::new(foreign)?];
    if walls == Walls::OwnNetwork {
        return Ok(rules);
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in NO_STREAM {
            let kind = masked(1, 0xf, kind.unsigned_abs().into())?;
            rules.push(SeccompRule::new(vec![
                equal(0, family.unsigned_abs().into())?,
                kind,
            ])?);
        }
        // Other stream protocols (MPTCP, SCTP) are not fenced in.
        let other = vec![
            equal(0, family.unsigned_abs().into())?,
            differs(2, 0)?,
            differs(2, libc::IPPROTO_TCP)?,
        ];
        rules.push(SeccompRule::new(other)?);
    }
    // Of netlink only questions about routes and addresses.
    let netlink = vec![
        equal(0, libc::AF_NETLINK.unsigned_abs().into())?,
        differs(2, libc::NETLINK_ROUTE)?,
    ];
    rules.push(SeccompRule::new(netlink)?);
    Ok(rules)
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn differs(argument: u8, value: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    let value = value.unsigned_abs().into();
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(mask),
        value,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_can_be_built() {
        for walls in [Walls::OwnNetwork, Walls::SharedNetwork] {
            assert!(filter(walls).unwrap().len() > 40);
        }
        assert!(!no_clone3().unwrap().is_empty());
    }
}
