"""Intrinsic dimension: all estimators from one search against fits of their own, and the search against faiss.

    python -m bench.dimension_speed data/wordnet-minilm-384.hdf5 --rows 100000 -k 100
    python -m bench.dimension_speed FILE --rows 100000 --dimension-rows 20000     the fits on fewer rows: they take long

One thread on one core; processor time, so that what else the machine does counts little. Duplicates are left out, since
they make scikit-dimension's figures 0 or NaN, and rows are at unit length under cosine. scikit-dimension is given
float64, with which it is faster, and searches for neighbours in each fit, as it does by default. The search of ours and
faiss's brute force answer the same blocks of rows in turn.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data import read_hdf5
from bench.pin import pin_core, pin_threads
from vecrecall.analysis import dimension
from vecrecall.analysis.estimating.results import Dimensions
from vecrecall.analysis.neighbouring.compared import Compared
from vecrecall.analysis.neighbouring.duplicates import distinct
from vecrecall.inputs import as_rows

BLOCK = 8192  # rows that ask together
N_WARM = 2_000  # rows that compile the kernels outside the clock
Fit = Callable[[NDArray[np.float64], int], float]


def seconds(work: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[float, Any]:
    """(processor time, what comes out)."""
    before = time.process_time()
    out = work(*arguments, **options)
    return time.process_time() - before, out


def rows_of(path: Path, n: int) -> NDArray[np.float32]:
    """The first n different rows of a set."""
    X = read_hdf5(path, 1).X
    return np.ascontiguousarray(X[distinct(as_rows(X), "l2").first[:n]])


def fits(skdim: Any) -> dict[str, Fit]:
    """scikit-dimension's estimators, as they are fitted by themselves."""
    return {
        "mle": lambda X, k: skdim.id.MLE().fit(X, n_neighbors=k).dimension_,
        "mom": lambda X, k: skdim.id.MOM().fit(X, n_neighbors=k).dimension_,
        "twonn": lambda X, k: skdim.id.TwoNN().fit(X).dimension_,
        "gride": lambda X, k: skdim.id.GRIDE(multiscale=True, range_max=k).fit(X).dimension_,
        "lpca": lambda X, k: skdim.asPointwise(X, skdim.id.lPCA(), n_neighbors=k).mean(),
    }


def against_fits(X: NDArray[np.float32], k: int) -> Iterator[str]:
    """Time all our estimators at once, and theirs one by one."""
    try:
        import skdim
    except ImportError:
        yield "scikit-dimension is not installed: not compared"
        return
    ours_s, ours = seconds(dimension, X, "all", k=k, threads=1)
    yield f"\n{len(X):,} x {X.shape[1]}, k={k}: all estimators of ours from one search {ours_s:.1f} s\n"
    yield "| scikit-dimension | seconds | says | ours | differs by |\n|---|---|---|---|---|"
    total, wide = 0.0, X.astype(np.float64)
    for name, fit in fits(skdim).items():
        took, value = seconds(fit, wide, k)
        total += took
        own = ours[name].value
        yield f"| {name} | {took:.1f} | {value:.6g} | {own:.6g} | {abs(own / value - 1):.1e} |"
    yield f"\nseparate fits {total:.1f} s, {total / ours_s:.1f} times ours"


def against_faiss(X: NDArray[np.float32], k: int, share: float) -> Iterator[str]:
    """Time the search of ours and faiss's brute force on the same rows, block by block."""
    try:
        import faiss
    except ImportError:
        yield "faiss is not installed: not compared"
        return
    faiss.omp_set_num_threads(1)
    points = Compared(as_rows(X), "l2", np.arange(len(X)))
    ours_s = theirs_s = 0.0
    blocks = range(0, len(X), BLOCK)
    for lo in blocks[:: max(1, round(1 / share))]:
        asked = np.arange(lo, min(lo + BLOCK, len(X)))
        took, (_, distances) = seconds(points.nearest, asked, k, 1)
        ours_s += took
        took, (squares, _) = seconds(faiss.knn, X[asked], X, k + 1)
        theirs_s += took
        if lo == 0:
            near = np.sqrt(np.maximum(squares[:, -1], 0))
            if not np.allclose(near, distances[:, -1], rtol=1e-3, atol=1e-3):
                raise SystemExit("the two searches disagree")
    yield f"\nsearch for {k} neighbours, float64 distances: {ours_s:.1f} s"
    yield f"faiss's brute force, float32 distances: {theirs_s:.1f} s; ours takes {ours_s / theirs_s:.2f} times as long"


def against_exact(X: NDArray[np.float32], k: int, recall: float | None) -> Iterator[str]:
    """Time exact and approximate search, with the cheap estimators and all, and tell how far off these are."""
    methods = ["mle", "mom", "twonn", "gride"]
    exact_s, exact = seconds(dimension, X, methods, k=k, threads=1)
    rough_s, rough = seconds(dimension, X, methods, k=k, exact=False, recall=recall, threads=1)
    yield f"\napproximate search {rough_s:.1f} s, exact {exact_s:.1f} s: {exact_s / rough_s:.1f} times as long"
    yield from _errors(exact, rough)


def _errors(exact: Dimensions, rough: Dimensions) -> Iterator[str]:
    yield f"recall of the neighbours, measured on a sample: {rough['mle'].recall:.4f}\n"
    yield "| estimate | exact | approximate | differs by | as it said itself |\n|---|---|---|---|---|"
    for name, own in exact.items():
        other = rough[name]
        off = other.value / own.value - 1
        yield f"| {name} | {own.value:.5g} | {other.value:.5g} | {off:+.2%} | {other.error:+.2%} |"


def main() -> None:
    """Measure one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension-rows", type=int, help="rows of the comparison with scikit-dimension; default all")
    parser.add_argument("-k", type=int, default=100)
    parser.add_argument("--recall", type=float, help="that the approximate search is to reach; default 0.99")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows that the searches are timed with")
    parser.add_argument("--only", choices=("fits", "faiss", "approximate"), help="one of the three comparisons")
    args = parser.parse_args()
    pin_threads(1)
    pin_core()
    X = rows_of(args.file, args.rows)
    small = X[:N_WARM]
    with warnings.catch_warnings():  # a small index reaches no recall
        warnings.simplefilter("ignore")
        dimension(small, "all", k=10, threads=1)
        dimension(small, "mle", k=10, exact=False, threads=1)
    parts = {
        "faiss": lambda: against_faiss(X, args.k, args.share),
        "approximate": lambda: against_exact(X, args.k, args.recall),
        "fits": lambda: against_fits(X[: args.dimension_rows], args.k),
    }
    print(f"{args.file.name}: {len(X):,} different rows of {X.shape[1]} dimensions, one thread", flush=True)
    for name, part in parts.items():
        if args.only in (None, name):
            for line in part():
                print(line, flush=True)


if __name__ == "__main__":
    main()
