"""Brings what others wrote under `.cache/`: the reference suite, and clients by package name.

Nothing of it is committed. Versions are pinned here, so that a result can be repeated; each function
does nothing when its result is already there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache"

REDIS_PY = "redis==8.1.0"
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
