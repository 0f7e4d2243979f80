"""Peers are installed one by one, so that one which cannot be does not keep the others away."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from bench.contract import Peer


def missing(kind: type[Peer]) -> str:
    """Why a peer is not there; empty where it is."""
    try:
        version(kind.package)
    except PackageNotFoundError:
        return f"not installed: pip install {kind.package}"
    return ""


def requirements(extra: str = "bench") -> list[str]:
    """What an extra of vecrecall asks for, without the extra's own condition."""
    found = []
    for line in requires("vecrecall") or []:
        name, _, condition = line.partition(";")
        if f'extra == "{extra}"' in condition.replace("'", '"'):
            rest = [part.strip() for part in condition.split(" and ") if "extra ==" not in part]
            found.append(f"{name.strip()}; {' and '.join(rest)}" if rest else name.strip())
    return found


def install_all() -> None:
    """Install each requirement of the extra, and say which could not be."""
    for requirement in requirements():
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", requirement],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
            print(f"{requirement}: cannot be installed here ({lines[-1].strip()[:200]}); it is left out", flush=True)
        else:
            print(f"{requirement}: installed", flush=True)
