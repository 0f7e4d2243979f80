"""The report says what was measured: ratios, what is not reached, who was at fault or left out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.report import tables, writing
from bench.report.curves import curves_of, latency_of, modes_of, view_of
from bench.report.document import code, document, escaped
from bench.report.looks import looks_of
from bench.report.summary import BEST_OF_OURS, BEST_PEER, Ratio, ratios_of, summary_text
from bench.report.writing import file_names, write_report
from bench.results import Built, DataFacts, Faults, Point, Results

NAN = float("nan")
DATA = DataFacts("tiny", 1000, 8, "l2", 10, 50, 100)
HOSTILE = '<img src=x onerror=alert(1)>|`$\\frac{$_*[a](b)</script>'


NO_FAULTS = Faults()


def point(recall: float, qps: float, faults: Faults = NO_FAULTS, **setting: Any) -> Point:
    return Point(setting, recall, recall, recall, {"batch": qps}, {"batch": [qps]}, {"p50": 1.0}, faults)


def built(peer: str, *pairs: tuple[float, float], data: str = "tiny", **fields: Any) -> Built:
    """An index with points (recall, queries a second)."""
    fields = {"build": {}, "ours": peer.startswith("vecrecall"), "build_s": 1.0} | fields
    fields.setdefault("points", tuple(point(*pair, ef=i) for i, pair in enumerate(pairs)))
    return Built(data, peer, **fields)


def results(*indexes: Built, data: tuple[DataFacts, ...] = (DATA,), **fields: Any) -> Results:
    said = {"task": "a task", "machine": {"cores": "2"}, "command": "python -m bench run x", "finished": True}
    return Results(data=data, built=indexes, **said | fields)


def by_level(of: Results, ours: str, against: str, facts: DataFacts = DATA) -> list[Ratio]:
    return [r for r in ratios_of(of, facts, "batch") if (r.ours, r.against) == (ours, against)]


OURS = built("vecrecall HNSW", (0.90, 400.0), (1.00, 100.0))  # 200 at 0.95
HNSWLIB = built("hnswlib", (0.85, 200.0), (0.95, 50.0), (0.97, 10.0))  # 100 at 0.90, 50 at 0.95
SCANN = built("scann", (0.92, 160.0))


# ---------------------------------------- ratios


def test_ratios_are_those_computed_by_hand() -> None:
    found = by_level(results(OURS, HNSWLIB, SCANN), BEST_OF_OURS, "hnswlib")
    assert [ratio.value for ratio in found[:2]] == pytest.approx([400 / 100, 200 / 50])
    assert [ratio.level for ratio in found] == [0.90, 0.95, 0.99]
    best = by_level(results(OURS, HNSWLIB, SCANN), BEST_OF_OURS, BEST_PEER)
    assert [ratio.value for ratio in best[:2]] == pytest.approx([400 / 160, 200 / 50])
    assert [ratio.rival for ratio in best] == ["scann", "hnswlib", ""]
    assert [str(ratio) for ratio in best] == ["2.50 (scann)", "4.00 (hnswlib)", "not reached by a peer"]


@pytest.mark.parametrize(
    ("ours", "peer", "said"),
    [
        ((0.99, 10.0), (0.99, 40.0), ["0.25"] * 3),
        ((0.99, 9000.0), (0.99, 40.0), ["225"] * 3),
        ((0.92, 10.0), (0.99, 10.0), ["1.00", "not reached by ours", "not reached by ours"]),
        ((0.99, 10.0), (0.92, 10.0), ["1.00", "not reached by hnswlib", "not reached by hnswlib"]),
        ((0.92, 10.0), (0.92, 10.0), ["1.00", "not reached by either", "not reached by either"]),
        ((0.99, NAN), (0.99, 10.0), ["not measured"] * 3),
        ((0.99, 10.0), (NAN, 10.0), ["not measured"] * 3),
        ((0.99, 10.0), (0.99, 0.0), ["not measured"] * 3),
        ((0.99, float("inf")), (0.99, 1.0), ["not measured"] * 3),
    ],
)
def test_a_level_that_is_not_reached_is_said(ours: Any, peer: Any, said: list[str]) -> None:
    of = results(built("vecrecall", ours), built("hnswlib", peer))
    assert [str(ratio) for ratio in by_level(of, BEST_OF_OURS, "hnswlib")] == said


def test_the_front_over_the_builds_of_a_peer_counts() -> None:
    peer = [
        built("hnswlib", (0.90, 100.0), build={"M": 8}),
        built("hnswlib", (0.99, 80.0), (0.90, 90.0), build={"M": 32}),
    ]
    found = by_level(results(OURS, *peer), BEST_OF_OURS, "hnswlib")
    assert [ratio.rival_qps for ratio in found[::2]] == pytest.approx([100.0, 80.0])
    (curve,) = curves_of(results(*peer), "tiny", "batch")
    assert [measured.qps for measured in curve.front] == [100.0, 80.0]
    assert [measured.qps for measured in curve.beaten] == [90.0]
    assert {build: part.qps_at(0.90) for build, part in curve.by_build().items()} == {"M=8": 100.0, "M=32": 90.0}


def test_the_best_of_ours_is_chosen_at_every_level_and_each_is_shown() -> None:
    ivf = built("vecrecall IVF", (0.90, 800.0), (0.96, 20.0))
    of = results(OURS, ivf, HNSWLIB)
    assert [r.ours_qps for r in by_level(of, BEST_OF_OURS, "hnswlib")] == pytest.approx([800, 200, 100 * 4**0.1])
    assert [r.ours_qps for r in by_level(of, "vecrecall IVF", "hnswlib")][0] == 800
    assert str(by_level(of, "vecrecall IVF", "hnswlib")[2]) == "not reached by either"


def test_exact_search_is_left_out_on_both_sides() -> None:
    exact = built("numpy", (1.0, 1e6), exact=True), built("vecrecall Exact", (1.0, 1e7), exact=True)
    of = results(OURS, HNSWLIB, *exact)
    said = [str(ratio) for ratio in by_level(of, BEST_OF_OURS, BEST_PEER)]
    assert said == ["4.00 (hnswlib)", "4.00 (hnswlib)", "not reached by a peer"]
    assert "numpy (exact)" in [row[0] for row in tables.speeds(of, DATA, ["batch"]).rows]


def test_sparse_sets_are_compared_with_seismic() -> None:
    sparse = replace(DATA, sparse=True)
    of = results(OURS, built("Seismic", (0.99, 50.0)), built("bmp", (0.99, 25.0)), data=(sparse,))
    assert [str(r) for r in by_level(of, BEST_OF_OURS, "seismic", sparse)] == ["8.00", "4.00", "2.30"]
    assert [str(r) for r in by_level(results(OURS, HNSWLIB), BEST_OF_OURS, BEST_PEER)][:1] == ["4.00 (hnswlib)"]
    assert "to seismic" in summary_text(of) and "hnswlib" not in summary_text(of)


def test_modes_are_compared_apart() -> None:
    both = [
        replace(index, points=tuple(replace(p, qps=p.qps | {"single": single}) for p in index.points))
        for index, single in ((built("vecrecall", (0.99, 10.0)), 3.0), (built("hnswlib", (0.99, 10.0)), 1.0))
    ]
    of = results(*both)
    assert modes_of(of) == ["batch", "single"]
    assert [r.value for r in ratios_of(of, DATA, "single")][0] == 3.0
    assert "tiny, batch" in summary_text(of) and "tiny, single" in summary_text(of)


# ---------------------------------------- tables


def test_faults_are_shown_with_their_counts_and_marked_beside_the_speed() -> None:
    faults = Faults(missing=5, out_of_range=1, duplicates=20, wrong_distances=100, distance_error=0.125)
    well = point(0.9, 200.0, ef=3)
    bad = built("hasty", points=(point(0.95, 100.0, faults, ef=1), point(0.99, 50.0, Faults(missing=7), ef=2), well))
    of = results(OURS, bad)
    (row,) = tables.faults(of).rows
    assert row == (
        "hasty", "tiny", "defaults", "2 of 3", "7 (0.70%)", "1 (0.10%)", "20 (2.00%)", "0", "100 (10.00%)", "0.12"
    )  # fmt: skip
    names = [row[0] for row in tables.speeds(of, DATA, ["batch"]).rows]
    assert names == ["vecrecall HNSW", "hasty †"]
    assert "†" in tables.speeds(of, DATA, ["batch"]).note
    assert "hasty †" in document(of, {})


def test_no_faults_is_said_too() -> None:
    assert tables.faults(results(OURS)).rows == ()
    assert tables.faults(results(OURS)).empty in document(results(OURS), {})


def test_who_was_left_out_is_listed_with_the_reason_once() -> None:
    two = (DATA, replace(DATA, name="other"))
    gone = [built("absent", data=facts.name, problem="does not install:\n no wheel", build_s=NAN) for facts in two]
    broke = built("frail", (0.95, 10.0), problem="killed")
    of = results(OURS, *gone, broke, data=two)
    assert tables.left_out(of).rows == (
        ("absent", "tiny, other", "defaults", "does not install: no wheel", "0"),
        ("frail", "tiny", "defaults", "killed", "1"),
    )
    assert "frail" in [curve.name for curve in curves_of(of, "tiny", "batch")]  # what it did counts
    assert [row[0] for row in tables.builds(of, DATA).rows] == ["vecrecall HNSW", "frail"]


def test_latency_is_that_of_the_first_setting_that_reaches_the_recall() -> None:
    slow, quick = point(0.97, 5.0, M=2), replace(point(0.95, 9.0, M=1), latency_us={"p50": 12.5, "p99": 1234.5})
    table = tables.latencies(results(built("a", points=(point(0.90, 20.0), slow, quick)), SCANN), DATA)
    assert table.rows[0] == ("a", "M=1", "0.9500 (0.9500 to 0.9500)", "–", "12.5", "–", "1,234")
    assert table.rows[1][:3] == ("scann", "not reached", "ends at 0.9200")


def test_a_setting_that_was_asked_in_two_modes_is_one_setting() -> None:
    faults = Faults(missing=1)
    batch = replace(point(0.95, 9.0, faults, ef=5), latency_us={})
    single = replace(batch, qps={"single": 3.0}, latency_us={"p50": 321.0, "p99": 654.0})
    of = results(built("a", points=(batch, single)), built("b", points=(batch, single), problem="broke off"))
    assert tables.faults(of).rows[0][3] == "1 of 1"
    assert tables.left_out(of).rows[0][4] == "1"
    (curve, _) = curves_of(of, "tiny", "batch")
    assert latency_of(curve.front[0]) == single.latency_us


@pytest.mark.parametrize(
    ("value", "text"),
    [(NAN, "–"), (float("inf"), "∞"), (0.0, "0.000"), (0.01234, "0.012"), (1.234, "1.23"), (99.44, "99.4"),
     (123456.7, "123,457"), (-3.0, "-3.00")],
)  # fmt: skip
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert tables.number(value) == text


def test_a_set_that_is_not_described_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'elsewhere'.*describes tiny"):
        write_report(results(built("a", (0.9, 1.0), data="elsewhere")), tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------- charts


def test_charts_begin_at_recall_080_and_say_who_ends_before() -> None:
    low = built("weak", (0.5, 1e9))
    view = view_of(curves_of(results(OURS, low), "tiny", "batch"))
    assert view.recall[0] == pytest.approx(0.795) and view.left_out == ("weak",)
    assert view.qps[1] < 1000  # what is not in view does not stretch the axis
    assert view_of(curves_of(results(low), "tiny", "batch")).recall[0] < 0.5


def test_a_peer_looks_the_same_everywhere_and_no_two_look_alike() -> None:
    data = tuple(replace(DATA, name=name, sparse=name == "words") for name in ("tiny", "other", "words"))
    many = [built(f"peer {i}", (0.9, 1.0), data=("tiny", "other")[i % 2]) for i in range(25)]
    of = results(*many, OURS, built("vecrecall IVF"), built("Seismic", data="words"), data=data)
    looks = looks_of(of, sparse=False)
    assert len(looks) == len(set(looks.values())) == 27
    assert looks["vecrecall HNSW"].width > looks["peer 0"].width
    assert looks_of(of, sparse=True) == {"Seismic": looks["peer 0"]}  # each kind begins with the clearest


def test_a_mode_that_a_set_was_not_measured_in_is_no_row() -> None:
    def single(index: Built) -> Built:
        return replace(index, data="words", points=tuple(replace(p, qps={"single": 1.0}) for p in index.points))

    of = results(OURS, HNSWLIB, single(OURS), data=(DATA, replace(DATA, name="words", sparse=True)))
    assert [row[:3] for row in tables.headline(of).rows] == [
        ("tiny", "batch", "hnswlib"), ("tiny", "batch", "best peer"),
        ("words", "single", "seismic"), ("words", "single", "best peer"),
    ]  # fmt: skip
    assert set(tables.headline(of).rows[2][3:]) == {"not measured"}  # Seismic was not


# ---------------------------------------- Markdown


def cells_of(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))


def tables_of(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[cells_of(line) for line in block.splitlines()] for block in blocks]


def hostile_results() -> Results:
    texts = {"problem": f"{HOSTILE}\n|---|", "version": HOSTILE, "build": {"a|b": HOSTILE}}
    bad = built(HOSTILE, (0.93, 10.0), (0.99, 5.0), **texts)
    bad = replace(bad, points=tuple(replace(p, qps=p.qps | {HOSTILE: 1.0}) for p in bad.points))
    gone = built("_gone_", (0.9, 1.0), problem="x" * 5000)
    facts = replace(DATA, metric=HOSTILE, source=HOSTILE)
    said = {"machine": {"cpu|`": HOSTILE}, "command": f"run `{HOSTILE}`\n", "task": HOSTILE}
    return results(OURS, HNSWLIB, bad, gone, data=(facts,), **said)


@pytest.mark.parametrize(
    "of", [results(OURS, HNSWLIB, SCANN), hostile_results(), results()], ids=("plain", "hostile", "empty")
)
def test_tables_of_the_document_have_equal_columns(of: Results) -> None:
    text = document(of, {"tiny": "images/tiny.png"})
    found = tables_of(text)
    assert found and all(len({len(row) for row in table}) == 1 for table in found)
    assert all(set(cell) <= set("-:") for table in found for cell in table[1])
    assert "![Recall and speed on tiny](images/tiny.png)" in text
    assert text.count("Command: ") == len(found)  # every table says its command


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a|b", r"a\|b"), ("<b>&", "&lt;b&gt;&amp;"), ("ef_construction=200", "ef_construction=200"), ("_a_", r"\_a\_"),
     ("a\n b", "a b"), ("*[`\\", r"\*\[\`\\")],
)  # fmt: skip
def test_markdown_shows_text_as_it_is(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("a b", "`a b`"), ("a`b", "`` a`b ``"), ("", "`not recorded`"), ("a\nb", "`a b`")]
)
def test_code_ends_where_it_should(text: str, shown: str) -> None:
    assert code(text) == shown


# ---------------------------------------- the folder


NOTHING = Point({}, NAN, NAN, NAN, {"batch": NAN, "single": NAN}, {}, {"p50": NAN}, Faults(1, distance_error=NAN))
NO_INTERVAL = Point({}, 0.9, NAN, NAN, {"batch": 1.0}, {"batch": [NAN, 1.0]})
UNASKED = replace(DATA, n_timed=0)
ODD = {
    "no points": results(built("vecrecall", build_s=NAN), built("hnswlib")),
    "no indexes": results(),
    "no sets": results(data=()),
    "all NaN": results(Built("tiny", "hnswlib", {}, points=(NOTHING,))),
    "NaN interval": results(Built("tiny", "a", {}, points=(NO_INTERVAL,))),
    "a single point": results(built("numpy", (1.0, 3.0), exact=True)),
    "hostile texts": hostile_results(),
    "no queries timed": results(built("a", points=(point(0.9, 1.0, Faults(missing=1)),)), data=(UNASKED,)),
    "interrupted": results(OURS, finished=False),
}


@pytest.mark.parametrize("of", ODD.values(), ids=ODD)
def test_odd_results_make_a_report(of: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotly")
    said = write_report(of, tmp_path / "new" / "folder")
    files = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    drawn = bool(curves_of(of, "tiny", "batch"))
    assert files == {"index.html", "results.md"} | ({"tiny.png"} if drawn else set())
    assert drawn or "nothing to compare" in said
    assert of.finished or "not finished" in said
    assert of.finished or "not finished" in (tmp_path / "new" / "folder" / "results.md").read_text(encoding="utf-8")


def test_pictures_and_the_document_find_each_other(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotly")
    names = ("a/b", "a b")
    of = results(*(replace(OURS, data=name) for name in names), data=tuple(replace(DATA, name=n) for n in names))
    assert "a/b, batch" in write_report(of, tmp_path, image_prefix="images/of it/")
    linked = re.findall(r"!\[.*?\]\((.*?)\)", (tmp_path / "results.md").read_text(encoding="utf-8"))
    assert linked == ["images/of%20it/a-b.png", "images/of%20it/a-b-2.png"]
    for link in linked:
        assert (tmp_path / Path(link).name).read_bytes().startswith(b"\x89PNG")


def test_names_of_files_stay_in_the_folder_and_apart() -> None:
    names = ["../../etc/passwd", "A", "a", "", "ü", "x" * 500, "con|<>"]
    files = file_names(names)
    assert len({file.casefold() for file in files.values()}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][\w.-]*\.png", file) and len(file) < 100 for file in files.values())


def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotly")
    write_report(results(OURS), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(of: Results) -> str:
        raise RuntimeError("no page")

    monkeypatch.setattr(writing, "page", fail)
    with pytest.raises(RuntimeError, match="no page"):
        write_report(results(HNSWLIB), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="needs plotly.*pip install"):
        write_report(results(OURS), tmp_path)
