"""The report of a benchmark: one page to open, one document to read, a picture a data set.

`curves` says which points belong together and which of them count, `summary` how ours compare, `tables` holds every
figure once; `page`, `document` and `pictures` show them as HTML, Markdown and PNG, and `writing` puts them into a
folder. Texts of a record are shown, never trusted: what is markup in HTML, Markdown or a formula is escaped.
"""

from bench.report.writing import write_report

__all__ = ["write_report"]
