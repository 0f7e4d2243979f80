"""A file opened by faiss in a process of its own: if it is damaged, that process goes down, and not this one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

import numpy as np

from vecrecall.io.foreign.faiss_parts import Parts, parts_of
from vecrecall.io.foreign.lists import Unsound

_PROGRAM = "import sys; from vecrecall.io.foreign.faiss_apart import send; send(sys.argv[1])"
_READY = b"ready\n"
_WHERE = re.compile(r"^Error in .*?\.(cpp|h):\d+: (Error: )?", re.DOTALL)  # of the sources of faiss
_START_S, _BYTES_PER_S = 120, 1 << 22  # what a slow disk may take
_ROOM = 1 << 28  # bytes of memory beyond four times the file: the same again, and its copies


def parts_of_file(path: str) -> Parts:
    """Return the parts of the index in a file, not checked.

    Raises
    ------
    Unsound
        If faiss refuses the file, or does not survive it.
    RuntimeError
        If the process could not begin.
    """
    seconds = _START_S + os.path.getsize(path) / _BYTES_PER_S
    command = [sys.executable, "-c", _PROGRAM, os.path.abspath(path)]
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=_environment()
    ) as process:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            began = process.stdout.readline() == _READY
            parts = _received(process.stdout) if began else None
            code = process.wait()
            timed_out = not timer.is_alive()
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        said.seek(0)
        last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
    if not began:
        why = last or f"it ended with code {code}"
        raise RuntimeError(f"{path}: the process that was to open it with faiss could not begin: {why}")
    if parts is None:
        how = f"needed more than {seconds:.0f} s" if timed_out else f"ended with code {code}{last and f' ({last})'}"
        raise Unsound(f"faiss could not read it: the process that tried {how}")
    return parts


def _received(stream: IO[bytes]) -> Parts | None:
    """Return what the process sends; None if it ended before."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    if head["damage"]:
        raise Unsound(f"faiss refuses it: {head['damage']}")
    parts = Parts(head["numbers"], {}, head["refused"])
    for name, dtype, length in head["arrays"]:
        array = np.empty(length, dtype)
        if stream.readinto(array.view(np.uint8).data) != array.nbytes:  # type: ignore[attr-defined]
            return None
        parts.arrays[name] = array
    return parts


def send(path: str) -> None:
    """Write the parts of the index in a file to the standard output, and end the process; runs in that process."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever faiss prints is not to get in between
    import faiss

    out.write(_READY)
    out.flush()
    _bound(faiss, os.path.getsize(path))
    parts, damage = Parts(), ""
    try:
        parts = parts_of(faiss.read_index(path))
    except MemoryError:
        damage = "it claims more memory than its size allows"
    except RuntimeError as error:
        damage = _WHERE.sub("", str(error)).strip() or "it does not say why"
    head: dict[str, Any] = {
        "damage": damage, "refused": parts.refused, "numbers": parts.numbers,
        "arrays": [(name, array.dtype.str, len(array)) for name, array in parts.arrays.items()],
    }  # fmt: skip
    out.write(json.dumps(head).encode() + b"\n")
    for array in parts.arrays.values():
        out.write(array.data)
    out.flush()
    os._exit(0)  # what damage left behind need not be tidied up


def _bound(faiss: Any, size: int) -> None:
    """Keep faiss from allocating what a file merely claims to hold."""
    if hasattr(faiss, "set_deserialization_vector_byte_limit"):
        faiss.set_deserialization_vector_byte_limit(size + 1)
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        room, (_, most) = now + 4 * size + _ROOM, resource.getrlimit(resource.RLIMIT_AS)
        if most == resource.RLIM_INFINITY or room < most:
            resource.setrlimit(resource.RLIMIT_AS, (room, most))


def _environment() -> dict[str, str]:
    """The environment of the process: it finds the modules that this one does, and starts no threads."""
    paths = [path or os.getcwd() for path in sys.path]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
