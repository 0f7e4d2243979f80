"""`import vecrecall` costs what importing numpy costs: no kernel, no numba, nothing compiled."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vecrecall as vr


def modules_after(code: str) -> set[str]:
    """Modules loaded in a fresh process after `code`."""
    script = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def heavy(modules: set[str]) -> list[str]:
    tops = ("numba", "llvmlite", "scipy", "pandas", "rich", "typer", "matplotlib")
    return sorted(m for m in modules if m.startswith("vecrecall.kernels.") or m.split(".")[0] in tops)


def test_importing_the_package_loads_no_kernel() -> None:
    modules = modules_after("import vecrecall; vecrecall.__version__, dir(vecrecall)")
    assert "vecrecall" in modules
    assert heavy(modules) == []


def test_errors_and_hits_load_no_kernel() -> None:
    assert heavy(modules_after("import vecrecall as vr; vr.IndexFileError, vr.Hits")) == []


def test_every_public_name_is_there() -> None:
    assert set(vr.__all__) == set(vr._HOME)
    for name in vr.__all__:
        assert getattr(vr, name).__name__ == name
        assert name in dir(vr)


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Index'.*HNSW"):
        vr.Index  # noqa: B018
