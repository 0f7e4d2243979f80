"""Counts of large eigenvalues, against those that LAPACK finds."""

from __future__ import annotations

import numpy as np
import pytest

from vecrecall.kernels.spectra import count_large


def counted(matrices: np.ndarray, share: float) -> list[int]:
    out = np.empty(len(matrices), np.int64)
    count_large(matrices.copy(), share, np.empty((6, matrices.shape[1])), out)
    return out.tolist()


def symmetric(eigenvalues: np.ndarray, seed: int = 0) -> np.ndarray:
    n = len(eigenvalues)
    turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    return (turned * eigenvalues) @ turned.T


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 16, 50, 101])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.99])
def test_counts_are_those_of_all_eigenvalues(n: int, share: float) -> None:
    rng = np.random.default_rng(n)
    points = rng.normal(size=(20, n, 2 * n)) * np.exp(-3 * rng.random((20, 1, 2 * n)))
    matrices = points @ points.transpose(0, 2, 1)
    eigenvalues = np.linalg.eigvalsh(matrices)
    assert counted(matrices, share) == (eigenvalues > share * eigenvalues[:, -1:]).sum(axis=1).tolist()


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_any_scale_and_rank(scale: float) -> None:
    for rank in (1, 2, 9):
        eigenvalues = np.zeros(9)
        eigenvalues[:rank] = np.linspace(1, 0.2, rank)
        assert counted(scale * symmetric(eigenvalues)[None], 0.05) == [rank]


def test_equal_eigenvalues_and_forms_that_are_tridiagonal_already() -> None:
    assert counted(np.eye(30)[None], 0.05) == [30]
    assert counted(np.diag([1.0, 0.06, 0.04, 0.0])[None], 0.05) == [2]
    chain = 2 * np.eye(40) - np.eye(40, k=1) - np.eye(40, k=-1)
    eigenvalues = np.linalg.eigvalsh(chain)
    assert counted(chain[None], 0.3) == [(eigenvalues > 0.3 * eigenvalues[-1]).sum()]
    assert counted(np.ones((1, 12, 12)), 0.05) == [1]


def test_nothing_has_no_large_eigenvalue() -> None:
    assert counted(np.zeros((2, 5, 5)), 0.05) == [0, 0]
    assert counted(-1e-18 * np.eye(5)[None], 0.05) == [0]
