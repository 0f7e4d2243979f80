"""What every layer's tests share."""

from __future__ import annotations

import pytest

from datasets.wordnet_small import WordNetSmall, load


@pytest.fixture(scope="session")
def wordnet() -> WordNetSmall:
    """Real sentence embeddings: 7,500 documents, 400 queries, 384 wide, float16, cosine; read-only."""
    data = load()
    for array in (data.documents, data.queries, data.categories, data.relevant):
        array.flags.writeable = False
    return data
