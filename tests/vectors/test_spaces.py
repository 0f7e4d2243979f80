"""In what form rows ask, under each metric; and that keys of walked rows stand for the distances of the metric."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from vecrecall.kernels.distances import distances
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers
from vecrecall.vectors.codes import train
from vecrecall.vectors.spaces import METRICS, Space, inverse_lengths, row_lengths
from vecrecall.vectors.walked import CodedRows, FloatRows, WalkedRows

STORAGES = ("sq4", "sq8", "f16", "f32")
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(300, 40)) * RNG.uniform(0.8, 1.25, (300, 1))).astype(np.float32)


@njit
def call(view, query, query_bias, listed, m, out):
    distances(view, query, query_bias, listed, m, out)


def test_l2_asks_with_the_row_and_the_others_with_its_direction() -> None:
    slots = np.arange(len(X))
    for metric in METRICS:
        asking = Space(metric, 40).asking(X, slots)
        assert asking.shape == (300, 48) and asking.dtype == np.float32 and not asking[:, 40:].any()
        expected = X if metric == "l2" else X / np.linalg.norm(X.astype(np.float64), axis=1)[:, None]
        np.testing.assert_allclose(asking[:, :40], expected, rtol=1e-6)


def test_zero_rows_ask_with_a_direction_drawn_from_the_slot_alone() -> None:
    zeros = np.zeros((3, 40), np.float32)
    assert not Space("l2", 40).asking(zeros, np.arange(3)).any()
    for metric in ("ip", "cosine"):
        space = Space(metric, 40)
        drawn = space.asking(zeros, np.array([5, 6, 5]))
        np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, rtol=1e-6)
        assert drawn[0].tobytes() == drawn[2].tobytes() != drawn[1].tobytes()
        mixed = space.asking(np.concatenate([X[:1], zeros[:1]]), np.array([0, 5]))
        assert mixed[1].tobytes() == drawn[0].tobytes()


def test_lengths_neither_overflow_nor_vanish() -> None:
    rows = np.array([[3e18, 4e18], [3e-30, 4e-30], [0, 0]], np.float32)
    np.testing.assert_allclose(row_lengths(rows), [5e18, 5e-30, 0], rtol=1e-6)
    np.testing.assert_allclose(inverse_lengths(rows), [2e-19, 2e29, 0], rtol=1e-6)


def walked(metric: str, storage: str) -> tuple[WalkedRows, np.ndarray, np.ndarray]:
    """(walked rows, their forms and the biases of these)."""
    space = Space(metric, 40, float(row_lengths(X).max()))
    if storage in ("f16", "f32"):
        rows: WalkedRows = FloatRows.empty(storage, space)
    else:
        sample = np.ascontiguousarray(space.asking(X, np.arange(len(X)))[:, :40])
        codec = train(sample, storage, None, np.random.default_rng(0), products=metric == "ip")
        rows = CodedRows.empty(space, codec)
    rows = rows.with_room(len(X))
    forms = rows.no_forms().grown(len(X))
    rows.write(X, 0, forms, Workers(1))
    return rows, forms.forms, forms.bias


WORST = {"sq4": 0.15, "sq8": 0.02, "f16": 1e-3, "f32": 1e-5}  # mean error in units of the spread of the values


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", STORAGES)
def test_keys_of_walked_rows_stand_for_the_values_of_the_metric(storage: str, metric: str) -> None:
    rows, forms, bias = walked(metric, storage)
    listed = np.arange(len(X) + 4, dtype=np.int32)
    out = np.zeros(len(X) + 4, np.int32)
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    for i in (0, 17, 200):
        call(rows.view(), address(forms[i]), int(bias[i]), address(listed), len(X), address(out))
        keys = out[: len(X)]
        if metric == "ip":
            expected = -(X @ unit[i]).astype(np.float64)
        else:
            held, query = (X, X[i]) if metric == "l2" else (unit, unit[i])
            expected = ((held.astype(np.float64) - query) ** 2).sum(1)
        if isinstance(rows, CodedRows):
            got = keys * rows.unit
        else:
            got = (keys ^ ((keys >> 31) & 0x7FFFFFFF)).view(np.float32)
        assert np.abs(got - expected).mean() < WORST[storage] * expected.std()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("storage", ["f16", "f32"])
def test_forms_of_float_rows_come_back_as_they_were(storage: str, metric: str) -> None:
    rows, forms, _ = walked(metric, storage)
    rows.n = len(X)
    again = rows.no_forms().grown(len(X))
    rows.recall_forms(again)
    assert again.forms.tobytes() == forms.tobytes()
