"""`vecrecall data`: what it lists, gets and makes, and how it says no."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from tests.datasets.conftest import Server
from vecrecall.cli import data, exits
from vecrecall.datasets import download
from vecrecall.datasets.make import MAKERS, METRICS, ORDERS
from vecrecall.datasets.registry import load_registry
from vecrecall.io.hdf5 import read_hdf5
from vecrecall.io.sparse_set import read_sparse_set

TINY = {
    "synthetic-dim": "--n 60 --dim 12 --intrinsic 3 --queries 4 --seed 2",
    "clustered": "--n 60 --dim 12 --groups 4 --order grouped --queries 4 --metric cosine",
    "duplicates": "--n 60 --dim 12 --intrinsic 3 --share 0.25 --queries 4",
    "learned-sparse": "--n 60 --queries 4 --seed 1",
}


def run(command: str) -> int:
    """Run `vecrecall data COMMAND`."""
    app = typer.Typer(cls=exits.Commands)
    app.add_typer(data.app, name="data")
    return exits.run(app, ["data", *command.split()])


def read(path: Path) -> Any:
    return read_sparse_set(path) if path.is_dir() else read_hdf5(path)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VECRECALL_DATA", str(tmp_path / "cache"))


# ---------------------------------------- list


def test_list_names_every_set_and_how_it_is_got(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert run("list") == 0
    text = capsys.readouterr().out
    for recipe in load_registry().values():
        assert recipe.name in text and recipe.description in text
        assert recipe.licence in text or recipe.kind == "synthetic"
        assert f"\n{recipe.how}\n" in text or recipe.kind != "checkout"
    assert "vecrecall data get NAME" in text and "vecrecall data make NAME" in text


def test_list_for_scripts_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list --json") == 0
    sets = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(sets) == list(load_registry())
    sift = sets["sift-128-euclidean"]
    assert (sift["n"], sift["dim"], sift["metric"]) == (1_000_000, 128, "l2")
    assert sift["how"] == "vecrecall data get sift-128-euclidean"
    assert sift["files"] == [{"url": "http://ann-benchmarks.com/sift-128-euclidean.hdf5", "sha256": None}]


# ---------------------------------------- get


@pytest.fixture
def known(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server holds the one set that the registry knows."""
    monkeypatch.setattr(download, "find_recipe", {"some-set": server.recipe()}.__getitem__)
    return server


def test_get_prints_where_the_set_lies_and_its_digest(
    known: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("get some-set") == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'cache' / 'set.hdf5'}\n"
    assert f"loaded, 3,072,008 bytes, SHA-256 {known.sha256}, which the registry does not know" in said.err
    assert run("get some-set") == 0
    assert "there already, unchanged" in capsys.readouterr().err


def test_get_for_scripts_is_json(known: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("get some-set --out here --json") == 0
    answer = json.loads(capsys.readouterr().out)
    file = {"path": "here/set.hdf5", "sha256": known.sha256, "loaded": True, "certain": False}
    assert answer == {"name": "some-set", "path": "here/set.hdf5", "files": [file]}


def test_get_again_by_force(known: Server) -> None:
    assert run("get some-set") == run("get some-set --force") == 0
    assert len(known.asked) == 2


def test_an_interrupted_get_says_that_it_goes_on(
    known: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "transfer", interrupted)
    assert run("get some-set") == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_a_set_that_the_server_has_not_is_one_line(
    known: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    known.status = 404
    assert run("get some-set") == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"vecrecall: {known.address}/set.hdf5: the server answered 404")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("get sift", "there is no data set 'sift'; did you mean sift-128-euclidean"),
        ("get clustered", "it is made of random numbers, by `vecrecall data make clustered`"),
        ("get wordnet-bm25", "in a checkout of the repository, by `python -m bench.make_sparse_data DIR wordnet-bm25`"),
        ("make clusterd", "there is no data set 'clusterd'; did you mean clustered?"),
        ("make glove-100-angular", "is not made here: it is downloaded, by `vecrecall data get glove-100-angular`"),
        ("make sift-images-128", "is not made here: it is made in a checkout of the repository"),
        ("make clustered --n 5 --groups 6", "groups is 6, expected at most n, 5"),
        ("make clustered --order sorted", "Invalid value for '--order'"),
        ("make clustered --out some.npz", "--out is some.npz, expected a name that ends in .hdf5"),
        ("make clustered --out none/some.hdf5", "the folder does not exist"),
        ("make learned-sparse --out none/some", "no such folder"),
        ("make learned-sparse --noise 1", "No such option"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    command: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == ""
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------- make


@pytest.mark.parametrize("name", TINY)
def test_a_set_is_made_where_it_is_wanted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = Path("made" if name == "learned-sparse" else "made.hdf5")
    assert run(f"make {name} {TINY[name]} --out {out}") == 0
    said = capsys.readouterr()
    assert said.out == f"{out}\n" and "60 rows of" in said.err
    made = read(out)
    assert made.rows.shape[0] == 60 and made.neighbors.shape == (4, 60)


def test_a_set_has_its_own_name_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"make clustered {TINY['clustered']} --json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["path"], answer["metric"], answer["groups"]) == ("clustered.hdf5", "cosine", 4)
    made = read_hdf5("clustered.hdf5")
    assert made.metric == "cosine"
    assert made.attributes["train_category"].tolist() == sorted([0, 1, 2, 3] * 15)
    assert len(made.attributes["test_category"]) == 4


def test_the_source_of_a_set_makes_the_same() -> None:
    assert run(f"make synthetic-dim {TINY['synthetic-dim']} --noise 0.5 --out first.hdf5") == 0
    first = read_hdf5("first.hdf5")
    command = first.attributes["source"]
    assert command.startswith("vecrecall data make synthetic-dim --n 60 --dim 12 --intrinsic 3 --noise 0.5")
    assert run(command.removeprefix("vecrecall data ") + " --out second.hdf5") == 0
    second = read_hdf5("second.hdf5")
    for part in ("rows", "queries", "neighbors", "distances"):
        assert np.array_equal(getattr(first, part), getattr(second, part))
    assert second.attributes["source"] == command


@pytest.mark.parametrize(
    "command",
    [
        "synthetic-dim --n 60 --dim 12 --intrinsic 3 --noise 0.25 --queries 4 --metric ip --seed 2",
        "clustered --n 60 --dim 12 --groups 4 --spread 0.3 --order grouped --queries 4 --metric cosine --seed 3",
        "duplicates --n 60 --dim 12 --share 0.25 --intrinsic 3 --queries 4 --metric cosine --seed 4",
    ],
)
def test_every_option_reaches_the_maker(command: str) -> None:
    assert run(f"make {command} --out made.hdf5") == 0
    assert read_hdf5("made.hdf5").attributes["source"] == f"vecrecall data make {command}"


def test_every_option_reaches_the_maker_of_sparse_vectors() -> None:
    assert run(f"make learned-sparse {TINY['learned-sparse']}") == 0
    wanted = MAKERS["learned-sparse"](60, n_queries=4, seed=1)
    made = read_sparse_set("learned-sparse")
    assert (made.rows != wanted.rows).nnz == 0 and (made.queries != wanted.queries).nnz == 0


@pytest.mark.parametrize("name", ["duplicates", "learned-sparse"])
def test_what_is_there_is_replaced_only_by_force(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"make {name} {TINY[name]}") == 0
    assert run(f"make {name} {TINY[name]} --n 61") == 2
    assert "is there already" in capsys.readouterr().err
    assert run(f"make {name} {TINY[name]} --n 61 --force") == 0
    assert read(Path(name if name == "learned-sparse" else f"{name}.hdf5")).rows.shape[0] == 61


@pytest.mark.parametrize("name", MAKERS)
def test_options_have_the_defaults_of_the_maker(name: str) -> None:
    command = {c.name: c.callback for c in data.make.registered_commands}[name]
    options = {n: p.default for n, p in inspect.signature(command).parameters.items()}
    of_maker = {n.removeprefix("n_"): p.default for n, p in inspect.signature(MAKERS[name]).parameters.items()}
    del of_maker["progress"]
    assert {option: getattr(options[option], "value", options[option]) for option in of_maker} == of_maker
    assert set(options) - set(of_maker) == {"out", "force", "as_json"}


def test_choices_are_those_of_the_makers() -> None:
    assert tuple(order.value for order in data.Order) == ORDERS
    assert tuple(metric.value for metric in data.Metric) == METRICS


@pytest.mark.parametrize("command", ["", "make"])
def test_a_group_of_commands_shows_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 0
    said = capsys.readouterr()
    assert "Usage: vecrecall data" in said.out and said.err == ""


@pytest.mark.parametrize("command", ["", "list", "get", "make", *(f"make {name}" for name in MAKERS)])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{command} --help") == 0
    text = capsys.readouterr().out
    assert "Usage" in text
    if command.startswith("make "):
        assert "--seed" in text and "--out" in text


def test_the_command_and_the_makers_load_no_kernel_before_they_are_used() -> None:
    modules = "cli.data, vecrecall.datasets.make, vecrecall.datasets.download, vecrecall.io.sparse_set"
    script = f"import vecrecall.{modules}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"numba", "llvmlite", "scipy", "h5py", "pandas"}
    assert not [name for name in done.stdout.split() if name.startswith("vecrecall.kernels.")]
