"""What machine a run was made on."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import vecrecall


def _first(path: str, key: str) -> str:
    """The value of the first line of a file of /proc that begins with a key."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def sources() -> str:
    """A digest of the package's code: figures of two states do not belong into one record."""
    whole = hashlib.blake2b(digest_size=8)
    root = Path(vecrecall.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in ("cli", "io", "datasets", "measure"):  # none of it is timed
            whole.update(path.read_bytes())
    return whole.hexdigest()


def facts(core: int | None) -> dict[str, str]:
    """Processor, memory, system and versions, in words."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = _first("/proc/meminfo", "MemTotal").removesuffix(" kB")
    flags = _first("/proc/cpuinfo", "flags").split()
    said = {
        "processor": _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "instructions": ", ".join(flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags),
        "cores": f"{allowed}" + ("" if core is None else "; figures of one thread on one of them, pinned"),
        "memory": f"{int(memory) / 2**20:.0f} GiB" if memory.isdigit() else "",
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
    }
    said["vecrecall's sources"] = sources()
    for package in ("numpy", "numba", "scipy"):
        try:
            said[package] = version(package)
        except PackageNotFoundError:
            continue
    return {name: value for name, value in said.items() if value}
