"""What the micro-benchmarks share: real rows, an index of them, and one core to run on."""

from __future__ import annotations

import numpy as np
import pytest

import vecrecall as vr
from bench.pin import pin_threads
from datasets.wordnet_small import WordNetSmall, load

pin_threads(1)


@pytest.fixture(scope="session")
def wordnet() -> WordNetSmall:
    """A small real set, dense and sparse."""
    return load()


@pytest.fixture(scope="session")
def documents(wordnet: WordNetSmall) -> np.ndarray:
    """Real sentence embeddings (7,500, 384), float32."""
    return wordnet.documents.astype(np.float32)


@pytest.fixture(scope="session")
def queries(wordnet: WordNetSmall) -> np.ndarray:
    """Their queries (400, 384), float32."""
    return wordnet.queries.astype(np.float32)


@pytest.fixture(scope="session")
def index(documents: np.ndarray) -> vr.HNSW:
    """The documents under the default parameters."""
    return vr.HNSW.build(documents, metric="cosine", threads=1)
