"""The benchmark: `python -m bench run TASK`, then `python -m bench report RECORD...`.

    python -m bench run small                              wordnet-small, every peer that is installed
    python -m bench run full --data DIR                    the three dense sets and the two sparse ones
    python -m bench report results/small.record --out results/small
    python -m bench peers                                  which peers are installed
    python -m bench install                                install all that can be installed, one after another
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(
    task: Annotated[str, typer.Argument(help="A name of bench/tasks, or the path of a TOML file.")],
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")] = Path("data"),
    out: Annotated[Path | None, typer.Option(help="Record file; one that is there is continued.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report there at the end.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure anew; a record that is there is removed.")] = False,
) -> None:
    """Measure the peers of a task."""
    from bench import tasks
    from bench.records import Records, alone, remove
    from bench.run import Runner, command_line, say

    asked = tasks.read(task)
    path = out or Path("results") / f"{asked.name}.record"
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        if fresh:
            remove(path)
        records = Records(path)
        try:
            if records.fact("finished"):
                Runner.refuse_other_task(asked, records)
                say(f"{path} is finished; --fresh measures anew, --out writes another record")
            else:
                Runner(asked, records, data, command_line()).run()
        finally:
            records.close()
    if report is not None:
        write([path], report)


@app.command("report")
def write(
    records: Annotated[list[Path], typer.Argument(help="What `run` wrote; several of one machine become one report.")],
    out: Annotated[Path, typer.Option(help="Folder for the page, the pictures and the tables.")] = Path("report"),
    images: Annotated[str, typer.Option(help="What stands before a picture's name in results.md: images/ .")] = "",
) -> None:
    """Write the page, pictures and tables of records, and print the summary."""
    from bench.records import Records
    from bench.report import write_report
    from bench.summing import results, together

    of_all = together([results(Records.existing(record)) for record in records])
    print(write_report(of_all, out, image_prefix=images))


@app.command()
def peers() -> None:
    """List the peers, and whether they are installed."""
    from bench.installing import missing
    from bench.peers import PEERS, peer_class

    for name in PEERS:
        print(f"{name:26s} {missing(peer_class(name)) or 'installed'}")


@app.command()
def install() -> None:
    """Install the peers of the extra `bench`, one after another; one that cannot be installed is left out."""
    from bench.installing import install_all

    install_all()


def main() -> None:
    """Run a command; what goes wrong is one line on the error stream and exit code 2."""
    try:
        app()
    except (OSError, ValueError, ImportError, sqlite3.Error) as error:
        print("bench:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
