"""The registry is whole, what it says of the package is true, and a wrong one is refused with the reason."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from vecrecall.datasets.make import MAKERS
from vecrecall.datasets.registry import Recipe, find_recipe, load_registry

ROOT = Path(__file__).parents[2]
REGISTRY = load_registry()
OF_KIND = {kind: [r for r in REGISTRY.values() if r.kind == kind] for kind in ("download", "synthetic", "checkout")}

DOWNLOAD = """
[some-set]
kind = "download"
description = "some vectors"
metric = "l2"
format = "hdf5"
n = 10
dim = 4
queries = 2
licence = "CC0"
source = "https://example.org/"
files = [{ url = "https://example.org/some-set.hdf5" }]
"""


def name_of(recipe: Recipe) -> str:
    return recipe.name


def test_the_public_sets_are_there() -> None:
    names = {r.name for r in OF_KIND["download"]}
    assert names >= {
        "sift-128-euclidean", "gist-960-euclidean", "glove-100-angular", "fashion-mnist-784-euclidean",
        "nytimes-256-angular", "deep-image-96-angular", "big-ann-sparse-small", "big-ann-sparse-1M",
    }  # fmt: skip


@pytest.mark.parametrize("recipe", OF_KIND["download"], ids=name_of)
def test_names_of_dense_downloads_say_dimension_and_metric(recipe: Recipe) -> None:
    if recipe.format == "hdf5":
        dim, metric = re.fullmatch(r".*-(\d+)-(\w+)", recipe.name).groups()
        assert int(dim) == recipe.dim
        assert {"euclidean": "l2", "angular": "cosine"}[metric] == recipe.metric
        assert [file.name for file in recipe.files] == [f"{recipe.name}.hdf5"]
    else:
        kinds = sorted(file.name.partition(".")[2] for file in recipe.files)
        assert (recipe.metric, kinds) == ("ip", ["csr.gz", "dev.csr.gz", "dev.gt"])


@pytest.mark.parametrize("recipe", OF_KIND["synthetic"], ids=name_of)
def test_defaults_of_synthetic_sets_are_those_of_their_makers(recipe: Recipe) -> None:
    parameters = inspect.signature(MAKERS[recipe.name]).parameters
    assert parameters["n"].default == recipe.n
    assert parameters["n_queries"].default == recipe.queries
    if "dim" in parameters:
        assert (parameters["dim"].default, parameters["metric"].default) == (recipe.dim, recipe.metric)


def test_every_maker_is_in_the_registry() -> None:
    assert [recipe.name for recipe in OF_KIND["synthetic"]] == list(MAKERS)


@pytest.mark.parametrize("recipe", OF_KIND["checkout"], ids=name_of)
def test_programs_of_a_checkout_exist_and_know_the_set(recipe: Recipe) -> None:
    module = re.match(r"python -m ([\w.]+)", recipe.how)[1]
    source = (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    assert f'"{recipe.name}"' in source


def test_how_names_the_command() -> None:
    assert find_recipe("glove-100-angular").how == "vecrecall data get glove-100-angular"
    assert find_recipe("clustered").how == "vecrecall data make clustered"
    assert find_recipe("wordnet-bm25").how == "python -m bench.make_sparse_data DIR wordnet-bm25"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sift", "did you mean sift-128-euclidean or sift-images-128"),
        ("Clusterd", "did you mean clustered"),
        ("GIST-960-EUCLIDEAN", "did you mean gist-960-euclidean"),
        ("glove-100-angular.hdf5", "did you mean glove-100-angular"),
        ("xyzzy", "`vecrecall data list` shows all"),
        ("", "`vecrecall data list` shows all"),
    ],
)
def test_an_unknown_name_is_refused_with_close_ones(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"no data set {name!r}; {hint}"):
        find_recipe(name)


def test_a_registry_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(DOWNLOAD)
    (recipe,) = load_registry(path).values()
    assert (recipe.name, recipe.n, recipe.files[0].name, recipe.files[0].sha256) == (
        "some-set", 10, "some-set.hdf5", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[some-set]", "[some-set", "is not TOML"),
        ("[some-set]", "[some-set]\nx = '\\ud800'\xff", "is not TOML|has 'x'"),
        ("[some-set]", '["../x"]', "expected a name of letters"),
        ("[some-set]", '[".hidden"]', "expected a name of letters"),
        ("[some-set]", "some-set = 3\n[other]", "is 3, expected a table"),
        ('kind = "download"', 'kind = "torrent"', "kind is 'torrent', expected one of"),
        ('kind = "download"', 'kind = "synthetic"', "has 'files', which a synthetic has not"),
        ('licence = "CC0"', "", "has no 'licence'"),
        ('licence = "CC0"', "licence = 7", "licence is 7, expected text"),
        ("n = 10", "n = 0", "n is 0"),
        ("n = 10", "n = 1.5", "n is 1.5"),
        ("dim = 4", "dim = -4", "dim is -4"),
        ("dim = 4", "dims = 4", "has 'dims'"),
        ('metric = "l2"', 'metric = "jaccard"', "metric is 'jaccard'"),
        ('format = "hdf5"', 'format = "xls"', "format is 'xls'"),
        ("[{ url", "[] # [{ url", r"files is \[\]"),
        ("{ url =", "{ uri =", "expected { url"),
        ("https://example.org/some-set", "file:///etc/some-set", "expected http"),
        ("https://example.org/some-set", "https:///some-set", "expected http"),
        ("https://example.org/some-set.hdf5", "https://example.org/", "expected http"),
        ("https://example.org/some-set.hdf5", "https://example.org/..", "expected http"),
        ("https://example.org/some-set.hdf5", "https://example.org/a%2Fb", "expected http"),
        ('.hdf5" }', '.hdf5", sha256 = "abc" }', "expected 64 hexadecimal"),
        ('.hdf5" }', '.hdf5" }, { url = "http://x.org/some-set.hdf5" }', "two files are called 'some-set.hdf5'"),
    ],
)
def test_a_wrong_registry_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    assert old in DOWNLOAD
    path.write_text(DOWNLOAD.replace(old, new, 1), encoding="latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        load_registry(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("recipe", REGISTRY.values(), ids=name_of)
def test_the_document_says_what_the_registry_says(recipe: Recipe) -> None:
    document = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    (line,) = [line for line in document.splitlines() if line.startswith(f"| `{recipe.name}` |")]
    if recipe.kind == "synthetic":
        parameters = inspect.signature(MAKERS[recipe.name]).parameters
        options = dict(re.findall(r"--([a-z]+) (\S+?)[ `]", line.split(" | ")[1]))
        assert options == {n: str(parameters[n].default).removesuffix(".0") for n in options}
        assert set(parameters) - set(options) == {"n", "n_queries", "seed", "progress", "metric"} & set(parameters)
        return
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    dim = "" if recipe.dim is None else f"{recipe.dim:,}"
    assert cells[1:5] == [f"{recipe.n:,}", dim, f"{recipe.queries:,}", recipe.metric]
    assert recipe.kind == "download" or recipe.how in line
