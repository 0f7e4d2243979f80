"""`vecrecall warmup` runs every engine, so that nothing is left to compile."""

from __future__ import annotations

import pytest

from vecrecall.cli import warmup


def test_warmup_names_every_engine_and_ends_with_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    warmup.compile_all()
    shown = capsys.readouterr().err
    for name in ("Exact l2", "Exact ip", "Exact cosine", "HNSW sq4 l2", "HNSW sq8 cosine", "HNSW f32 ip", "HNSW f16"):
        assert name in shown
    assert "all kernels are compiled" in shown.splitlines()[-1]
