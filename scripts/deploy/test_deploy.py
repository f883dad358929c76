"""The files of deploy/ against each other, and the seccomp profile against the kernel."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

import under_seccomp

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROFILE = DEPLOY / "seccomp.json"


def confined(program):
    """Runs a line of Python under the profile."""
    command = [sys.executable, under_seccomp.__file__, str(PROFILE), sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Files(unittest.TestCase):
    def test_what_they_name_is_there(self):
        compose = (DEPLOY / "compose.yaml").read_text()
        dockerfile = re.search(r"dockerfile: (\S+)", compose).group(1)
        self.assertTrue((ROOT / dockerfile).is_file())
        profile = re.search(r"seccomp=(\S+)", compose).group(1)
        self.assertTrue((DEPLOY / profile).is_file())
        image = re.search(r"image: (\S+)", compose).group(1)
        self.assertIn(f"-t {image} ", (ROOT / "Makefile").read_text())

    def test_the_image_is_built_with_the_compiler_that_setup_asks_for(self):
        setup = (ROOT / "scripts/setup.sh").read_text()
        wanted = re.search(r"^RUST_MIN=(\S+)", setup, re.MULTILINE).group(1)
        self.assertIn(f"FROM rust:{wanted}-", (DEPLOY / "Dockerfile").read_text())

    def test_nobody_but_this_host_reaches_a_server_without_a_password(self):
        for port in re.findall(r'- "(\S+:6379)"', (DEPLOY / "compose.yaml").read_text()):
            self.assertTrue(port.startswith("127.0.0.1:"), port)


class Profile(unittest.TestCase):
    def setUp(self):
        self.names = list(under_seccomp.names(json.loads(PROFILE.read_text())))

    def test_it_allows_the_rings_and_each_name_once(self):
        self.assertEqual(len(self.names), len(set(self.names)))
        for name in ("io_uring_setup", "io_uring_enter", "io_uring_register"):
            self.assertIn(name, self.names)

    def test_it_allows_nothing_that_reaches_beyond_the_container(self):
        for name in ("bpf", "keyctl", "mount", "open_by_handle_at", "perf_event_open", "ptrace",
                     "process_vm_writev", "reboot", "setns", "swapon", "unshare", "userfaultfd"):
            self.assertNotIn(name, self.names)

    def test_a_program_runs_under_it_and_what_it_does_not_name_is_refused(self):
        if under_seccomp.library() is None:
            self.skipTest("libseccomp is not installed")
        works = confined("import socket, threading; socket.socket(); print('works')")
        self.assertEqual((works.returncode, works.stdout), (0, "works\n"), works.stderr)
        unshare = "import ctypes; c = ctypes.CDLL(None, use_errno=True); " \
                  "print(c.unshare(0x10000000), ctypes.get_errno())"
        refused = confined(unshare)
        self.assertEqual((refused.returncode, refused.stdout), (0, "-1 1\n"), refused.stderr)


if __name__ == "__main__":
    unittest.main()
