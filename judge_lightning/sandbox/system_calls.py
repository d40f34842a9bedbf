"""The numbers of the system calls that the sandbox refuses, for x86-64 and for 64-bit Arm.

From the kernel's ``syscall_64.tbl`` (arch/x86) and ``unistd.h`` (include/uapi/asm-generic);
``-`` where an architecture has no such call.
"""

from __future__ import annotations

NEWEST = 452
"""Later numbers are refused altogether, as a kernel without them does."""

NEVER_NEEDED = """
socket 41 198, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272,
pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, memfd_create 319 279,
memfd_secret 447 447, shmget 29 194, msgget 68 186, semget 64 190, mq_open 240 180,
add_key 248 217, request_key 249 218, keyctl 250 219, bpf 321 280, perf_event_open 298 241,
userfaultfd 323 282, io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427,
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268,
quotactl 179 60, quotactl_fd 443 443, open_by_handle_at 304 265, name_to_handle_at 303 264,
fanotify_init 300 262, open_tree 428 428, move_mount 429 429, fsopen 430 430, fsconfig 431 431,
fsmount 432 432, fspick 433 433, mount_setattr 442 442, swapon 167 224, swapoff 168 225,
reboot 169 142, kexec_load 246 104, kexec_file_load 320 294, init_module 175 105,
finit_module 313 273, delete_module 176 106, acct 163 89, syslog 103 116, settimeofday 164 170,
clock_settime 227 112, clock_adjtime 305 266, adjtimex 159 171, sethostname 170 161,
setdomainname 171 162, personality 135 92, process_madvise 440 440, process_mrelease 448 448,
move_pages 279 239, migrate_pages 256 238, lookup_dcookie 212 18, nfsservctl 180 42, iopl 172 -,
ioperm 173 -, modify_ldt 154 -, seccomp 317 277
"""
"""Calls that no tested program needs: the network, other processes, the kernel itself."""

WITHOUT_NAMESPACES = """
fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, kill 62 129, tkill 200 130,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, setsid 112 157, setpgid 109 154,
setpriority 141 140, ioprio_set 251 30, sched_setparam 142 118, sched_setscheduler 144 119,
sched_setattr 314 274, sched_setaffinity 203 122, creat 85 -, unlink 87 -, unlinkat 263 35,
rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -,
link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, mknod 133 -, mknodat 259 33,
truncate 76 45, chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -,
fchown 93 55, lchown 94 -, fchownat 260 54, utime 132 -, utimes 235 -, utimensat 280 88,
futimesat 261 -, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14,
lremovexattr 198 15, fremovexattr 199 16
"""
"""Refused too where there are no namespaces: more processes, signals, changes to files."""

BY_ARGUMENT = """
clone 56 220, clone3 435 435, open 2 -, openat 257 56, openat2 437 437, tgkill 234 131,
prlimit64 302 261, prctl 157 167
"""
"""Calls that are refused for some of their arguments only."""


def numbers(table: str, machine: str) -> dict[str, int]:
    """Call names and their numbers on ``machine`` (``x86_64`` or ``aarch64``)."""
    column = {"x86_64": 1, "aarch64": 2}[machine]
    rows = [entry.split() for entry in table.split(",")]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
