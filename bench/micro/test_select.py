"""The choice of links among 128 candidates, for 100 nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

import vecrecall as vr
from bench.micro.loops import keys_of, select_each
from vecrecall.kernels.memory import address
from vecrecall.threads import Workers

N_NODES, SIZE, CAPACITY = 100, 128, 48


def test_select_neighbours(benchmark: Any, index: vr.HNSW, documents: np.ndarray) -> None:
    walked, n = index._content.walked, len(documents)
    forms = walked.no_forms().grown(n)
    walked.write(documents, 0, forms, Workers(1))
    listed, keys = np.arange(n + 4, dtype=np.int32), np.zeros(n + 4, np.int32)
    pools = np.zeros((N_NODES, SIZE), np.int64)
    for node in range(N_NODES):
        keys_of(walked.view(), address(forms.forms[node:]), int(forms.bias[node]), address(listed), n, address(keys))
        nearest = np.lexsort((listed[:n], keys[:n]))
        nearest = nearest[nearest != node][:SIZE]
        pools[node] = keys[nearest].astype(np.int64) << 32 | nearest << 1
    links, link_keys, state = np.zeros((3, SIZE + 8), np.int32)
    views = (address(forms.forms), forms.forms.strides[0], address(forms.bias))
    arguments = (
        walked.view(), views, address(pools), pools.strides[0], N_NODES, SIZE, CAPACITY,
        address(links), address(link_keys), address(state), address(listed), address(keys),
    )  # fmt: skip
    assert select_each(*arguments) >= N_NODES  # compiled
    benchmark.group = f"choose links of {N_NODES} nodes among {SIZE} candidates each"
    benchmark(select_each, *arguments)
