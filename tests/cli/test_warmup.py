"""`vecrecall warmup` runs every engine, so that nothing is left to compile."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command
from vecrecall.cli import warmup


def test_warmup_names_every_engine_and_ends_with_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = warmup.compile_all()
    shown = capsys.readouterr()
    for name in ("Exact l2", "Exact ip", "Exact cosine", "HNSW sq4 l2", "HNSW sq8 cosine", "HNSW f32 ip", "HNSW f16"):
        assert name in shown.err
        assert any(name in use for use in seconds)
    assert "all kernels are compiled" in shown.err.splitlines()[-1]
    assert shown.out == ""


def test_json_is_one_object_of_seconds(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "_uses", lambda X: iter([("Exact l2", lambda: None), ("Sparse", lambda: None)]))
    done = command("warmup", "--json")
    facts = json.loads(done.out)
    assert done.code == 0
    assert list(facts["kernels"]) == ["Exact l2", "Sparse"]
    assert facts["total_s"] == sum(facts["kernels"].values())
