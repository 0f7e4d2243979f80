"""The table of cases: what the tests of correctness run through is what the micro-benchmarks time.

A test takes the whole of a row of this table, a benchmark those of it that say something about speed: nothing is timed
that is not tested. `bench.micro.inputs` makes what kernels take in some of these cases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vecrecall.kernels.tiles import TILES

METRICS = ("l2", "ip", "cosine")
HNSW_STORAGES = ("sq4", "sq8", "f16", "f32")
HNSW_ROWS = 4_000  # of the real embeddings, under each of these
IVF_STORAGES = ("sq4", "sq8")
KEPT_TYPES = ("uint8", "float16", "float32")  # rows of Exact

# forms of rows that a query is compared with: codes, and floats of each metric
CODE_FORMS = ("sq4", "sq8", "s8", "sq4_ip", "sq8_ip")
FLOAT_FORMS = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}
FORMS = [*CODE_FORMS, *(f"{name}_{by}" for by in ("l2", "ip") for name in FLOAT_FORMS)]

# storage, dimensions, reduce
ENCODED = [
    ("sq4", 20, None),
    ("sq4", 150, None),
    ("sq4", 300, 128),
    ("sq8", 20, None),
    ("sq8", 130, 60),
    ("sq8", 70, "auto"),
]

# queries that scan a block together, and bits of a code
TILE_KINDS = [(n_queries, bits) for n_queries in TILES for bits in (4, 8)]

# postings of a list; factors of its impacts by whether sums have 16 bits or 8
POSTING_COUNTS = [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 1000]
POSTING_FACTORS = {False: [1, 2, 77, 252], True: [1, 2, 255, 4000, 65254]}

# entries of a sparse row, and bytes of a column's number
ROW_LENGTHS = [0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 777]
COLUMN_BYTES = [2, 4]

# keys that are selected from and sorted
KEY_COUNTS = [*range(10), 23, 24, 25, 26, 49, 50, 100, 1000]

# documents and queries (see `sparse_set`), parameters of the build, of the search, and a floor under its recall@10
SPARSE_SEARCHES: list[tuple[str, dict[str, Any], dict[str, Any], float]] = [
    ("learned", {}, {}, 0.98),  # 0.987
    ("learned", {"keep": "f32"}, {}, 0.98),  # 0.987
    ("learned", {"layout": "blocked"}, {}, 0.87),  # 0.958
    ("learned", {"n_postings": 200}, {}, 0.965),  # 0.986
    ("learned", {"alpha": 0.6}, {}, 0.865),  # 0.887
    ("learned", {"layout": "blocked", "summary_energy": 0.6}, {}, 0.8),  # 0.870
    ("learned", {}, {"heap_factor": 0.7, "impact_cut": 0}, 0.997),  # 1.0
    ("learned", {"layout": "blocked"}, {"heap_factor": 0.7, "impact_cut": 0}, 0.985),  # 1.0
    ("learned", {}, {"query_cut": 5}, 0.77),  # 0.791
    ("lexical", {}, {}, 0.995),  # 1.0
    ("lexical", {"layout": "blocked"}, {}, 0.955),  # 0.992
    ("lexical", {"n_postings": 200}, {}, 0.995),  # 1.0
    ("lexical", {}, {"query_cut": 5}, 0.955),  # 0.974
]
