"""`vr.analysis.dimension`: what it says of ordinary data, of odd data, and about itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tests.analysis import slow_dimension as slow
from tests.analysis.slow_dimension import flat
from vecrecall.analysis import dimension
from vecrecall.analysis.estimating.methods import METHODS

ALL = tuple(METHODS)


FIVE = flat(1000, 5)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("k", [3, 20])
def test_every_method_is_as_its_paper_has_it(metric: str, k: int) -> None:
    X = FIVE[:300]
    ids, r = slow.neighbours(X, k, metric)
    found = dimension(X, "all", k=k, metric=metric)
    for convention, less in (("levina-bickel", 1), ("unbiased", 2), ("amsaleg", 0)):
        expected = [slow.levina_bickel(row, k - less) for row in r]
        np.testing.assert_allclose(
            dimension(X, k=k, metric=metric, convention=convention).pointwise, expected, rtol=1e-9
        )
    np.testing.assert_allclose(found["mom"].pointwise, [slow.moments(row) for row in r], rtol=1e-9)
    assert found["twonn"].value == pytest.approx(slow.facco(r), rel=1e-9)
    for scale in found["gride"].curve:
        d, error = slow.denti(r, scale.n1)
        assert scale.estimate == pytest.approx(d, rel=1e-6)
        assert scale.standard_error == pytest.approx(error, rel=1e-4)
        assert scale.radius == pytest.approx(r[:, 2 * scale.n1 - 1].mean())
    points = X / np.linalg.norm(X, axis=1)[:, None] if metric == "cosine" else X
    np.testing.assert_array_equal(found["lpca"].pointwise, [slow.fukunaga_olsen(points[row]) for row in ids])


def test_agrees_with_scikit_dimension_on_clean_data() -> None:
    skdim = pytest.importorskip("skdim")
    X, k = flat(500, 6), 20
    found = dimension(X, "all", k=k)
    for convention, unbiased, by in (("levina-bickel", False, "harmonic"), ("unbiased", True, "harmonic")):
        theirs = skdim.id.MLE(unbiased=unbiased).fit(X, n_neighbors=k)
        ours = dimension(X, k=k, convention=convention)
        np.testing.assert_allclose(ours.pointwise, theirs.dimension_pw_, rtol=1e-6)
        assert (ours.value, ours.summary) == (pytest.approx(theirs.dimension_, rel=1e-6), by + " mean")
        assert ours.mean == pytest.approx(skdim.id.MLE(unbiased=unbiased).fit(X, n_neighbors=k, comb="mean").dimension_)
    theirs = skdim.id.MOM().fit(X, n_neighbors=k)
    np.testing.assert_allclose(found["mom"].pointwise, theirs.dimension_pw_, rtol=1e-6)
    assert found["mom"].value == pytest.approx(theirs.dimension_, rel=1e-6)
    assert found["twonn"].value == pytest.approx(skdim.id.TwoNN().fit(X).dimension_, rel=1e-6)
    theirs = skdim.id.GRIDE(multiscale=True, range_max=k).fit(X)
    assert found["gride"].value == pytest.approx(theirs.dimension_, rel=1e-6)
    curve = np.array([(s.n1, s.estimate, s.standard_error, s.radius) for s in found["gride"].curve])
    np.testing.assert_allclose(curve.T[:3], [theirs.scales_, theirs.dimension_scales_, theirs.error_scales_], rtol=1e-6)
    np.testing.assert_allclose(curve.T[3], theirs.radius_scales_)
    np.testing.assert_array_equal(
        found["lpca"].pointwise, skdim.asPointwise(X, skdim.id.lPCA(), n_neighbors=k)
    )


# what the methods say of 4,000 normal rows falls short of the truth the more, the more dimensions there are; measured
# 1.00 to 1.07, 1.02 to 1.07, 0.94 to 1.05, 0.80 to 0.91, 0.64 to 0.77, 0.50 to 0.60
@pytest.mark.parametrize(
    ("d", "low", "high"),
    [(2, 0.97, 1.1), (4, 0.98, 1.1), (8, 0.9, 1.09), (16, 0.77, 0.95), (32, 0.6, 0.8), (64, 0.46, 0.64)],
)
def test_all_methods_are_right_within_the_bias_that_is_known_of_them(d: int, low: float, high: float) -> None:
    X = flat(4000, d, dim=96).astype(np.float32)
    for name, found in dimension(X, ["mle", "mom", "twonn", "gride"], k=50).items():
        assert low < found.value / d < high, name


def test_local_pca_counts_the_directions_of_flat_data() -> None:
    for d in (2, 4, 8):
        found = dimension(flat(500, d), "lpca", k=60)
        assert found.median == d and abs(found.value - d) < 0.2


def test_pointwise_values_tell_parts_of_different_dimension_apart() -> None:
    line, ball = np.zeros((500, 8)), np.random.default_rng(0).normal(size=(500, 8))
    line[:, 0] = np.linspace(50, 80, 500)
    for name in ("mle", "mom", "lpca"):
        values = dimension(np.vstack([line, ball]), name, k=20).pointwise
        assert np.median(values[:500]) < 1.5 < 4 < np.median(values[500:])


# ---------------------------------------------------------------- odd inputs (scikit-dimension: 0, NaN, inf, -5e15)


def sensible(found: Any, *, within: float = np.inf) -> None:
    """Above 0 and finite, or NaN and counted."""
    for name, each in found.items():
        figures = np.array([each.value, each.mean, each.harmonic, each.median])
        assert np.all(np.isnan(figures) | ((figures > 0) & (figures < within))), (name, figures)
        if each.pointwise is not None:
            known = each.pointwise[~np.isnan(each.pointwise)]
            assert np.all((known > 0) & (known < within))
            assert each.n_undefined == each.n - len(known)
        if np.isnan(each.value):
            assert each.n_undefined == each.n
        low, high = each.interval
        assert np.isnan(low) or 0 <= low <= each.value <= high < np.inf


def grid(side: int, d: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(float(side))] * d), -1).reshape(-1, d)


ODD = {
    "one pair of equal rows": np.vstack([FIVE, FIVE[:1]]),
    "every row twice": np.vstack([FIVE, FIVE]),
    "30 copies of one row": np.vstack([FIVE, np.repeat(FIVE[:1], 30, axis=0)]),
    "grid": grid(6, 3),
    "grid with copies": np.random.default_rng(0).integers(0, 3, (500, 4)).astype(float),
    "all distances equal": np.eye(60),
    "offset 1e6": FIVE + 1e6,
    "offset 1e8": FIVE + 1e8,
    "rows and noise of 1e-9": np.vstack([FIVE, FIVE + 1e-9 * np.random.default_rng(1).normal(size=FIVE.shape)]),
    "constant": np.full((50, 4), 0.1),
    "one column": np.random.default_rng(0).normal(size=(200, 1)),
    "tiny": 1e-30 * FIVE,
    "huge": 1e17 * FIVE,
    "squares of differences vanish": 1e-170 * FIVE,
    "no row": np.empty((0, 4)),
    "one row": FIVE[:1],
    "two rows": FIVE[:2],
    "three rows": FIVE[:3],
    "four rows": FIVE[:4],
}


@pytest.mark.parametrize("duplicates", ["merge", "drop", "keep"])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("name", ODD)
def test_odd_rows_give_finite_figures_or_nan_with_its_count(name: str, metric: str, duplicates: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*zero row vector")
        sensible(dimension(ODD[name], "all", k=20, metric=metric, duplicates=duplicates), within=1e4)


@pytest.mark.parametrize("name", ["one pair of equal rows", "every row twice", "30 copies of one row"])
def test_merged_duplicates_change_no_estimate(name: str) -> None:
    X = ODD[name]
    for clean, found in zip(dimension(FIVE, "all", k=20).values(), dimension(X, "all", k=20).values()):
        assert (found.value, found.n_duplicates, found.n_undefined) == (clean.value, len(X) - len(FIVE), 0)
        if clean.pointwise is not None:
            same = (X[:, None, :3] == FIVE[None, :, :3]).all(axis=2).argmax(axis=1)
            np.testing.assert_array_equal(found.pointwise, clean.pointwise[same])


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_an_offset_changes_nothing_but_the_last_digits_that_it_leaves(offset: float) -> None:
    for clean, found in zip(dimension(FIVE, "all", k=20).values(), dimension(FIVE + offset, "all", k=20).values()):
        assert found.value == pytest.approx(clean.value, rel=offset * 1e-14)


def test_near_duplicates_show_on_the_curve() -> None:
    X = ODD["rows and noise of 1e-9"]
    found = dimension(X, "gride", k=20)
    assert found.n_duplicates == 0
    assert found.curve[0].estimate < 0.1  # right at that scale
    assert 4 < found.curve[2].estimate < 5.5


def test_equal_distances_are_undefined_and_counted() -> None:
    found = dimension(np.eye(60), ["mle", "mom", "twonn", "gride"], k=20)
    for each in found.values():
        assert np.isnan(each.value) and each.n_undefined == 60


def test_duplicates_may_be_refused_by_number_or_kept_as_the_textbook_has_it() -> None:
    X = np.vstack([FIVE, FIVE[7:9]])
    with pytest.raises(ValueError, match="X row 1000 is equal to row 7, the first of 2 that repeat another"):
        dimension(X, duplicates="error")
    kept = dimension(X, k=20, duplicates="keep")
    assert np.isnan(kept.pointwise[[7, 8, 1000, 1001]]).all() and kept.n_undefined == 4
    dropped = dimension(X, k=20, duplicates="drop")
    assert dropped.n_undefined == 0 and dropped.pointwise[7] == dropped.pointwise[1000]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
@pytest.mark.parametrize("copies", [2, 40])  # 40: more than are found beside the neighbours
def test_under_cosine_rows_of_one_direction_are_duplicates(dtype: Any, copies: int) -> None:
    rng = np.random.default_rng(2)
    X = rng.integers(-20, 20, (120, 12)).astype(dtype) if dtype is np.int8 else FIVE[:120].astype(dtype)
    factors = rng.integers(1, 6, (copies, 1, 1)) if dtype is np.int8 else rng.uniform(0.1, 9, (copies, 1, 1))
    Y = np.vstack([X, *(X * factors.astype(dtype))])
    clean, found = dimension(X, k=20, metric="cosine"), dimension(Y, k=20, metric="cosine")
    assert found.n_duplicates == 120 * copies
    np.testing.assert_allclose(found.pointwise, np.tile(clean.pointwise, copies + 1), rtol=1e-5)
    with pytest.raises(ValueError, match="is equal to row"):
        dimension(Y, k=20, metric="cosine", duplicates="error")


def test_zero_rows_have_no_direction() -> None:
    X = np.vstack([FIVE[:200], np.zeros((3, 32))])
    with pytest.warns(UserWarning, match="3 zero row vectors under metric 'cosine': without a direction"):
        found = dimension(X, k=20, metric="cosine")
    assert np.isnan(found.pointwise[200:]).all() and found.n_undefined == 3 and found.n_duplicates == 0
    np.testing.assert_array_equal(found.pointwise[:200], dimension(FIVE[:200], k=20, metric="cosine").pointwise)
    assert dimension(X, k=20).n_duplicates == 2  # under l2 they are points as any


def test_dimension_on_one_minus_cosine_would_be_half() -> None:
    _, chord = slow.neighbours(FIVE[:200], 20, "cosine")
    half = [slow.levina_bickel(row, 19) for row in chord**2 / 2]
    np.testing.assert_allclose(dimension(FIVE[:200], k=20, metric="cosine").pointwise, 2 * np.array(half))


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "best"}, "method is 'best', expected one of 'mle', 'mom', 'twonn', 'gride', 'lpca', 'all'"),
        ({"method": ["mle", "all"]}, "method is 'all', expected one of 'mle', "),
        ({"method": []}, "method is empty"),
        ({"k": 2}, "k is 2, expected an integer of at least 3"),
        ({"k": ()}, "k is empty"),
        ({"k": (20, 1.5)}, "k is 1.5"),
        ({"method": "twonn", "k": 20}, "'twonn' always takes 2 neighbours"),
        ({"metric": "ip"}, "metric is 'ip', expected 'l2' or 'cosine': .* no distance"),
        ({"metric": "l1"}, "metric is 'l1'"),
        ({"duplicates": "forget"}, "duplicates is 'forget', expected one of 'merge', 'drop', 'keep', 'error'"),
        ({"convention": "k"}, "convention is 'k'"),
        ({"method": "mom", "convention": "unbiased"}, "only method 'mle' takes"),
        ({"recall": 0.9}, "recall=0.9 is given without exact=False"),
        ({"exact": "no"}, "exact is 'no', expected True or False"),
        ({"exact": False, "recall": 2}, "recall is 2"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"neighbours": [1, 2]}, "neighbours is list, expected Hits"),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        dimension(FIVE[:50], **arguments)


@pytest.mark.parametrize("X", [[[1.0, np.nan]], [[1.0, np.inf]], [1.0, 2.0], [["a"]], np.zeros((3, 0)), [[1j]]])
def test_wrong_matrices_are_refused_by_the_common_check(X: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="^X "):
        dimension(X)


@pytest.mark.parametrize(
    "kind", ["list", "fortran", "readonly", "float16", "int8", "uint8", "int64", "bool", "memmap", "torch-like"]
)
def test_any_kind_of_matrix_is_read_as_its_values(kind: str, tmp_path: Any) -> None:
    X = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 90, (150, 24)).astype(np.float64)
    given: Any = {
        "list": X.tolist, "fortran": lambda: np.asfortranarray(X), "float16": lambda: X.astype(np.float16),
        "int8": lambda: X.astype(np.int8), "uint8": lambda: X.astype(np.uint8), "int64": lambda: X.astype(np.int64),
        "bool": lambda: X.astype(bool), "memmap": lambda: X.astype(np.float32), "readonly": X.copy,
        "torch-like": lambda: type("T", (), {"__array__": lambda self, dtype=None, copy=None: X})(),
    }[kind]()  # fmt: skip
    if kind == "memmap":
        np.save(tmp_path / "rows.npy", given)
        given = np.load(tmp_path / "rows.npy", mmap_mode="r")
    if kind == "readonly":
        given.flags.writeable = False
    found, clean = dimension(given, "all", k=20), dimension(X, "all", k=20)
    assert [each.value for each in found.values()] == [each.value for each in clean.values()]


def test_k_is_what_was_used_where_there_are_fewer_rows() -> None:
    found = dimension(FIVE[:15], "all", k=(5, 100))
    assert {key: each.k for key, each in found.items()} == {
        ("mle", 5): 5, ("mle", 100): 14, ("mom", 5): 5, ("mom", 100): 14, "twonn": 2, "gride": 8, ("lpca", 5): 5,
        ("lpca", 100): 14,
    }  # fmt: skip
    assert dimension(FIVE).k == 100  # the default


def test_one_search_serves_all_methods_and_all_k() -> None:
    together = dimension(FIVE[:200], ["lpca", "mle"], k=(10, 30))
    for key in [("mle", 10), ("mle", 30), ("lpca", 10), ("lpca", 30)]:
        name, k = key
        np.testing.assert_array_equal(together[key].pointwise, dimension(FIVE[:200], name, k=k).pointwise)
    with pytest.raises(KeyError, match=r"no estimate 'mle'; there are \('lpca', 10\)"):
        together["mle"]


@pytest.mark.parametrize("exact", [True, False])
def test_results_do_not_depend_on_the_number_of_threads(exact: bool) -> None:
    X = np.vstack([FIVE, FIVE[:9]])
    one, two = (dimension(X, "all", k=20, exact=exact, threads=threads) for threads in (1, 2))
    for a, b in zip(one.values(), two.values()):
        assert repr(a) == repr(b)
        if a.pointwise is not None:
            assert a.pointwise.tobytes() == b.pointwise.tobytes()


# ---------------------------------------------------------------- what it says of itself


def test_it_tells_method_k_and_n_and_never_the_dimension() -> None:
    for name in ALL:
        said = repr(dimension(FIVE, name))
        assert name in said and "k=" in said and "n=1,000" in said
        assert "the intrinsic dimension" not in said.lower()
    said = repr(dimension(FIVE, "all", k=20))
    assert all(name in said for name in ALL) and "n=1,000" in said and "GRIDE at n1=8" in said


def test_the_figure_says_which_it_is() -> None:
    found = dimension(FIVE, "all", k=20)
    assert found["mle"].value == found["mle"].harmonic and found["mle"].summary == "harmonic mean"
    assert found["mom"].value == found["mom"].mean and found["mom"].summary == "mean"
    assert found["gride"].value == found["gride"].curve[0].estimate and found["gride"].summary == "n1 = 1"
    lid = dimension(FIVE, k=20, convention="amsaleg")
    assert lid.value == lid.mean and lid.summary == "mean" and lid.value > found["mle"].mean
    assert float(lid) == lid.value


def test_as_dict_and_the_table_hold_plain_values(tmp_path: Any) -> None:
    found = dimension(np.vstack([FIVE, FIVE[:3]]), "all", k=(10, 20))
    record = found["mle", 20].as_dict()
    assert (record["method"], record["k"], record["n_duplicates"]) == ("mle", 20, 3)
    assert record["low"] < record["value"] < record["high"] and "pointwise" not in record
    assert found["gride"].as_dict()["curve"][0]["n1"] == 1
    found.to_csv(tmp_path / "found.csv")
    lines = (tmp_path / "found.csv").read_text().splitlines()
    assert len(lines) == 1 + len(found) and lines[0].startswith("method,convention,value")
    assert [scale["n1"] for scale in found.scales()] == [1, 2, 4, 8]
    frame = pytest.importorskip("pandas") and found.to_pandas()
    assert list(frame["k"]) == [each.k for each in found.values()]


def test_the_interval_covers_what_other_rows_of_the_same_kind_say() -> None:
    several = [dimension(flat(400, 4, seed=seed), ["mle", "mom", "twonn", "gride"], k=15) for seed in range(40)]
    for name in several[0]:
        found = [each[name] for each in several]
        middle = np.mean([each.value for each in found])
        covered = np.mean([each.interval[0] <= middle <= each.interval[1] for each in found])
        assert covered >= 0.85, name  # measured: 0.98 to 1
        widths = np.mean([each.interval[1] - each.interval[0] for each in found])
        assert widths < 4 * 2 * 1.96 * np.std([each.value for each in found]), name
