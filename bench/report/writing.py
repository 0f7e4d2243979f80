"""Write the report into a folder."""

from __future__ import annotations

import os
import re
import secrets
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from bench.report.curves import datasets_of
from bench.report.document import document
from bench.report.looks import looks_of
from bench.report.page import page
from bench.report.pictures import picture
from bench.report.summary import summary_text
from bench.results import Results


def write_report(results: Results, out: Path, *, image_prefix: str = "") -> str:
    """Write `index.html`, `results.md` and a PNG a data set into `out`; return the summary.

    image_prefix : what stands before the name of a picture in `results.md`, such as "images/results/", for a copy
        of the document that will stand elsewhere.
    """
    for needed in ("plotly", "matplotlib"):
        if find_spec(needed) is None:
            raise ModuleNotFoundError(f"the report needs {needed}, which is not installed; pip install {needed}")
    pictures = {
        facts.name: picture(results, facts, looks_of(results, sparse=facts.sparse)) for facts in datasets_of(results)
    }
    drawn = {name: png for name, png in pictures.items() if png is not None}
    names = file_names(list(drawn))
    addresses = {name: quote(image_prefix, safe="/:.") + file for name, file in names.items()}
    files = {names[name]: png for name, png in drawn.items()}
    files["results.md"] = document(results, addresses).encode()
    files["index.html"] = page(results).encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():  # all of them are made before the first one is written
        _replace(out / name, content)
    return f"{summary_text(results)}\n\npage      {out / 'index.html'}\ndocument  {out / 'results.md'}"


def file_names(names: list[str]) -> dict[str, str]:
    """A file of its own for every name, whatever signs it holds."""
    files: dict[str, str] = {}
    taken = set()
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:80] or "data"
        nth = 1
        while (file := f"{stem}.png" if nth == 1 else f"{stem}-{nth}.png").casefold() in taken:
            nth += 1
        taken.add(file.casefold())
        files[name] = file
    return files


def _replace(path: Path, content: bytes) -> None:
    """Put a whole file in place of an old one, or leave that one as it was."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
