"""`vecrecall info FILE`: what a saved index holds, read from its header alone."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from vecrecall import file as index_file


def show(path: Path) -> None:
    """Print kind, counts, parameters and sections of a saved index.

    Parameters
    ----------
    path : Path
        A file written by `save`. Its header and bounds are checked, its sections are not read.

    Raises
    ------
    IndexFileError
        The file is damaged or is not an index.
    """
    content = index_file.read(path)
    console = Console(highlight=False)
    console.print(f"{path}: {content.kind}, format {content.version}, {path.stat().st_size:,} bytes")
    for title, values in (("counts", content.counts), ("parameters", content.parameters)):
        words = ", ".join(f"{name} {value}" for name, value in values.items())
        console.print(f"{title}: {words}", soft_wrap=True)
    table = Table("section", "dtype", "shape", "bytes")
    table.columns[3].justify = "right"
    for name, array in content.sections.items():
        table.add_row(name, str(array.dtype), " x ".join(map(str, array.shape)), f"{array.nbytes:,}")
    console.print(table)
