"""Do models change places on a leaderboard when HNSW takes the place of exact search?

    python -m bench.rank_shift DATA/wordnet-minilm-384.hdf5 --out results/rank-shift

The models are cuts of one: the vectors of the file along their first principal axes (``pca-D``, which keep most of what
tells texts apart), and Gaussian random projections of them (``random-D``, which keep less of it in as many dimensions).
So some are about as good as others of another dimension, as on a crowded leaderboard. nDCG@10 by the judgements in the
file, with exact search and with hnswlib (or another engine of `vecrecall.analysis.study`) at M=16, efConstruction=128.
Writes a table (Markdown and CSV) and a picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.pin import pin_threads
from vecrecall.analysis.retrieval import rank_shift
from vecrecall.analysis.studying.engines import NAMES

PCA, RANDOM = (384, 256, 192, 128, 96, 64), (320, 256, 192, 128)
Matrix = NDArray[np.float32]


def models_of(X: Matrix, Q: Matrix) -> dict[str, tuple[Matrix, Matrix]]:
    """The cuts, of unit length under the metric."""
    mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = X - mean
    covariance = centred.T.astype(np.float64) @ centred / len(X)
    axes = np.linalg.eigh(covariance)[1][:, ::-1].astype(np.float32)
    models = {f"pca-{d}": (centred @ axes[:, :d], (Q - mean) @ axes[:, :d]) for d in PCA if d <= X.shape[1]}
    rng = np.random.Generator(np.random.PCG64(0))
    for d in RANDOM:
        projection = (rng.standard_normal((X.shape[1], d)) / np.sqrt(d)).astype(np.float32)
        models[f"random-{d}"] = centred @ projection, (Q - mean) @ projection
    return models


def main(arguments: list[str] | None = None) -> None:
    """Build, judge and report."""
    import h5py

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="an HDF5 file with train, test and test_relevant")
    parser.add_argument("--out", type=Path, required=True, help="folder of the table and the picture")
    parser.add_argument("--engine", choices=NAMES, default="hnswlib")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="only so many rows, the relevant ones among them, to try this out")
    args = parser.parse_args(arguments)
    pin_threads(1)
    with h5py.File(args.file) as file:
        X, Q, relevant = (file[name][:] for name in ("train", "test", "test_relevant"))
    X, Q = X.astype(np.float32), Q.astype(np.float32)
    if args.rows is not None and args.rows < len(X):
        others = np.setdiff1d(np.arange(len(X)), relevant)[: max(0, args.rows - len(np.unique(relevant)))]
        kept = np.sort(np.concatenate([np.unique(relevant), others]))
        X, relevant = X[kept], np.searchsorted(kept, relevant)
    found = rank_shift(models_of(X, Q), relevant, engine=args.engine, seeds=args.seeds, progress=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "rank-shift.md").write_text(found.table() + "\n", encoding="utf-8")
    found.to_csv(args.out / "rank-shift.csv")
    found.plot(args.out / "rank-shift.svg")
    print(found)


if __name__ == "__main__":
    main()
