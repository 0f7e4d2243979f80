"""A line of a record: what is asked, or a graph that was measured, as JSON with a digest of itself."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from vecrecall.analysis.studying.measuring import Cell, Measured, Structure

_FORMAT, _VERSION = "vecrecall study", 1
_MOST = 1 << 32  # bytes of an array in a record


@dataclass(frozen=True, eq=False)
class Header:
    """What the graphs of a record were asked.

    Attributes
    ----------
    fingerprint : str
        Of rows, queries, labels and questions.
    name : str
        What pictures and tables call the data; empty where nobody said.
    n, dim, n_queries, k : int
    metric : {"l2", "ip", "cosine"}
    efs, ladder : tuple of int
        Where recall is reported, and where it was measured.
    lid : ndarray of float64, shape (n_queries,)
        Local intrinsic dimension of the queries.
    """

    fingerprint: str
    name: str
    n: int
    dim: int
    n_queries: int
    k: int
    metric: str
    efs: tuple[int, ...]
    ladder: tuple[int, ...]
    lid: NDArray[np.float64]


def header_line(header: Header) -> bytes:
    """The first line of a record."""
    fields = {name: value for name, value in vars(header).items() if name != "lid"}
    return _line({"format": _FORMAT, "version": _VERSION, **fields, "lid": _text(header.lid.astype("<f8"))})


def graph_line(measured: Measured) -> bytes:
    """The line of a graph."""
    return _line(_packed(measured))


def header_of(line: bytes) -> Header:
    """What the first line says.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it says something else.
    """
    body = _body(line)
    if body.get("format") != _FORMAT or body.get("version") != _VERSION:
        raise ValueError(f"format {body.get('format')!r}, version {body.get('version')!r}")
    numbers = {name: _count(body[name]) for name in ("n", "dim", "n_queries", "k")}
    efs, ladder = (tuple(map(_count, body[name])) for name in ("efs", "ladder"))
    if not efs or list(ladder) != sorted({*ladder, *efs}):
        raise ValueError("its efs are not among its ladder")
    return Header(
        **numbers, fingerprint=str(body["fingerprint"]), name=str(body["name"]), metric=str(body["metric"]), efs=efs,
        ladder=ladder, lid=_array(body["lid"], "<f8", (numbers["n_queries"],)),
    )  # fmt: skip


def graph_of(line: bytes, header: Header) -> Measured:
    """What a line says of a graph that was asked what the header says.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is damaged.
    """
    body = _body(line)
    cell = Cell(
        str(body["engine"]), _count(body["M"]), _count(body["ef_construction"]), str(body["order"]),
        _count(body["seed"], 0),
    )  # fmt: skip
    n_right = _array(body["n_right"], "<u2", (len(header.ladder), header.n_queries))
    if n_right.size and n_right.max() > header.k:
        raise ValueError(f"{n_right.max()} of {header.k} answers are right")
    lengths = {"evals": header.ladder, "hops": header.ladder, "agreement": header.ladder, "self_recall": header.efs}
    means = {name: _doubles(body[name], len(at)) for name, at in lengths.items()}
    structure = Structure(**{field.name: _double(body["structure"][field.name]) for field in fields(Structure)})
    return Measured(
        cell, n_right, **means, build_s=_double(body["build_s"]), structure=structure, version=str(body["version"]),
        order_digest=str(body["order_digest"]),
    )  # fmt: skip


def _packed(measured: Measured) -> dict[str, Any]:
    return {
        **asdict(measured.cell),
        "n_right": _text(measured.n_right.astype("<u2")),
        **{name: _numbers(getattr(measured, name)) for name in ("evals", "hops", "agreement", "self_recall")},
        "build_s": measured.build_s,
        "structure": {name: _number(value) for name, value in asdict(measured.structure).items()},
        "version": measured.version,
        "order_digest": measured.order_digest,
    }


def _line(body: dict[str, Any]) -> bytes:
    return orjson.dumps({"digest": _digest(body), "body": body}) + b"\n"


def _digest(body: Any) -> str:
    return xxhash.xxh3_64_hexdigest(orjson.dumps(body))


def _body(line: bytes) -> dict[str, Any]:
    """What a line holds, after checking that nothing of it changed."""
    try:
        whole = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("body"), dict):
        raise ValueError("it has no body")
    body: dict[str, Any] = whole["body"]
    if whole.get("digest") != _digest(body):
        raise ValueError("its digest is another")
    return body


def _text(array: NDArray[Any]) -> str:
    return b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()


def _array(text: Any, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array out of its text; never more than its shape says is unpacked."""
    n_bytes = int(np.prod([int(length) for length in shape], dtype=object)) * np.dtype(dtype).itemsize
    if not isinstance(text, str) or n_bytes > _MOST:
        raise ValueError(f"an array of {n_bytes} bytes")
    unpacked = b""
    with suppress(zlib.error):
        unpacked = zlib.decompressobj().decompress(b64decode(text, validate=True), n_bytes + 1)
    if len(unpacked) != n_bytes:
        raise ValueError(f"an array is not of {n_bytes} bytes")
    return np.frombuffer(unpacked, dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _double(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _doubles(values: Any, length: int) -> NDArray[np.float64]:
    if not isinstance(values, list) or len(values) != length:
        raise ValueError(f"{length} numbers were expected")
    return np.array([_double(value) for value in values])


def _count(value: Any, least: int = 1) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{value!r} is no count")
    return value
