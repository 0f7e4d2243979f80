"""Tables of plain records as files, which appear whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

from vecrecall.measure.findings import require
from vecrecall.replacing import replacing

Path = str | os.PathLike[str]


def csv_of(records: list[dict[str, Any]]) -> bytes:
    """Records, all of the same fields, as CSV.

    >>> csv_of([{"order": "random", "recall": 0.5}])
    b'order,recall\\nrandom,0.5\\n'
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def parquet_of(records: list[dict[str, Any]]) -> bytes:
    """Records as Parquet, by pyarrow.

    Raises
    ------
    ImportError
        Where pyarrow is not installed.
    """
    require("pyarrow", "parquet")
    import pyarrow
    import pyarrow.parquet

    bytes_ = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), bytes_)
    return bytes_.getvalue()


def save(path: Path, content: bytes) -> None:
    """Write a file; the old one or the new one is there, never half."""
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(content)
