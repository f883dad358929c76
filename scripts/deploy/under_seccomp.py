#!/usr/bin/env python3
"""Runs a program under a seccomp profile in Docker's form, without Docker:

    scripts/deploy/under_seccomp.py deploy/seccomp.json PROGRAM [ARGUMENT ...]

So that the profile can be tried where there is no container engine. What the engine itself needs
between loading the profile and starting the program is more than Python needs, and not shown by this.
"""

import ctypes
import ctypes.util
import json
import os
import sys

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EPERM = 1


def library():
    """libseccomp, or None where it is not installed."""
    name = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
    try:
        found = ctypes.CDLL(name, use_errno=True)
    except OSError:
        return None
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_init.argtypes = [ctypes.c_uint32]
    found.seccomp_load.argtypes = [ctypes.c_void_p]
    found.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    return found


def names(profile):
    """The system calls that a profile allows. Only what ours uses of the form is understood."""
    if profile["defaultAction"] != "SCMP_ACT_ERRNO" or profile.get("defaultErrnoRet", EPERM) != EPERM:
        raise ValueError("the profile should refuse with EPERM what it does not name")
    for group in profile["syscalls"]:
        if set(group) - {"names", "action", "comment"} or group["action"] != "SCMP_ACT_ALLOW":
            raise ValueError(f"only plain lists of what is allowed are understood, not {group}")
        yield from group["names"]


def confine(profile):
    """Confines this process. Gives the names that this machine's libseccomp does not know."""
    seccomp = library()
    if seccomp is None:
        sys.exit("under_seccomp: libseccomp is not installed: apt-get install libseccomp2")
    context = seccomp.seccomp_init(ERRNO | EPERM)
    unknown = []
    for name in names(profile):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            unknown.append(name)
        elif seccomp.seccomp_rule_add_array(context, ALLOW, number, 0, None) < 0 and number >= 0:
            sys.exit(f"under_seccomp: no rule can be made for {name}")
    if seccomp.seccomp_load(context) < 0:
        sys.exit("under_seccomp: the kernel does not take the profile")
    return unknown


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        profile = json.load(file)
    confine(profile)
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
