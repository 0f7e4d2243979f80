"""`vecrecall.io` is there when it is asked for, and costs nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vecrecall as vr


def test_every_name_is_there() -> None:
    for name in vr.io.__all__:
        assert getattr(vr.io, name) is not None and name in dir(vr.io)
    assert set(vr.io.__all__) == set(vr.io._HOME)
    assert "io" in dir(vr)


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'read_parquet'; it has FORMATS, Dataset, read"):
        vr.io.read_parquet  # noqa: B018


def test_every_function_of_a_format_has_a_name_of_its_own() -> None:
    for each in vr.io.FORMATS.values():
        assert getattr(vr.io, each.reader.__name__) is each.reader
        assert getattr(vr.io, each.writer.__name__) is each.writer
        assert each.reader.__doc__ and each.writer.__doc__


def test_looking_at_the_formats_loads_no_library_of_files() -> None:
    script = "import vecrecall as vr, sys; vr.io.read, vr.io.write, vr.io.Dataset; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert not loaded & {"numba", "llvmlite", "scipy", "h5py", "pandas", "pyarrow"}
