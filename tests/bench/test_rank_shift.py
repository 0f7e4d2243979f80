"""The program that ranks cuts of one model with exact search and with HNSW."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.rank_shift import main, models_of

h5py = pytest.importorskip("h5py")


def test_a_cut_along_all_axes_keeps_every_distance_and_a_shorter_one_keeps_less() -> None:
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((300, 384)) * np.linspace(2, 0.1, 384)).astype(np.float32)
    Q = X[:5] + 1
    models = models_of(X, Q)
    assert list(models) == ["pca-384", "pca-256", "pca-192", "pca-128", "pca-96", "pca-64", *(
        f"random-{d}" for d in (320, 256, 192, 128)
    )]  # fmt: skip
    true = np.linalg.norm(Q[:, None] - X[None], axis=2)
    (rows, queries), (short, _) = models["pca-384"], models["pca-64"]
    assert np.allclose(np.linalg.norm(queries[:, None] - rows[None], axis=2), true, rtol=1e-3)
    assert np.allclose(short, rows[:, :64], atol=1e-4)
    assert models["random-320"][0].shape == (300, 320)


def test_the_program_writes_a_table_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1200, 96)).astype(np.float32)
    relevant = rng.choice(1200, 40, replace=False)
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file["train"], file["test"] = X, X[relevant] + 0.1
        file["test_relevant"] = relevant
    main([str(tmp_path / "set.hdf5"), "--out", str(tmp_path / "out"), "--engine", "sequential", "--seeds", "1",
          "--rows", "400"])  # fmt: skip
    printed = capsys.readouterr().out
    assert "Ranks of 6 models of 400 rows" in printed
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "rank-shift.md", "rank-shift.csv", "rank-shift.svg",
    }  # fmt: skip
    assert "| pca-96 | 1.0000" in (tmp_path / "out" / "rank-shift.md").read_text()
