"""The report on a graph's health: what the figures are and what they mean, no verdict beyond them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecrecall.analysis.health import Health
    from vecrecall.analysis.self_recall import SelfRecall

_NAMED = 5  # ids, groups and components that are named


def in_words(health: Health) -> str:
    """The report, ten to fifteen lines."""
    layers = ", ".join(f"{size:,}" for size in health.layers)
    title = f"Graph of {health.n:,} rows, M={health.M}, metric {health.metric}; layers of {layers}"
    return "\n".join([title, *_links(health), *_reach(health), *_rows(health)])


def _links(health: Health) -> Iterator[str]:
    leaving, arriving = health.out_degree, health.in_degree
    yield (
        f"links from a row: {leaving.mean:.1f} on average, {leaving.min} to {leaving.max}, 1 % of the rows have at "
        f"most {leaving.percentile(1):.0f}; {100 * health.full:.1f} % are full"
    )
    yield (
        f"links to a row: median {arriving.median:.0f}, 1 % have at most {arriving.percentile(1):.0f} and 99 % at most "
        f"{arriving.percentile(99):.0f}, greatest {arriving.max:,}, skew {arriving.skew:.2f}; {arriving.n_zero:,} rows "
        "have none"
    )


def _reach(health: Health) -> Iterator[str]:
    lost, unreached, reach = health.unreachable, health.unreached_from_entry, health.reachability
    where = f"the {len(reach.entries):,} rows where searches can enter" if len(reach.entries) > 1 else "the entry"
    if len(lost):
        yield f"{len(lost):,} of {health.n:,} rows cannot be found at any ef: no links lead to them from {where}"
        yield f"  {'these are' if len(lost) <= _NAMED else 'the first are'} {_ids(lost)}"
    else:
        yield f"links lead to every row from {where}"
    rest = f"all but {len(unreached):,} rows" if len(unreached) else "all rows"
    yield (
        f"by links of the base layer alone the graph's entry leads to {rest}, in {reach.hops_mean:.1f} hops on "
        f"average, {reach.hops_max} at most"
    )
    yield f"components of the base layer: {_components(health)}"


def _components(health: Health) -> str:
    words = []
    for name, sizes in (("weakly", health.weak), ("strongly", health.strong)):
        if len(sizes) == 1:
            words.append(f"{name} connected")
        else:
            words.append(f"{len(sizes):,} {name} connected ones, of {_first(sizes)} rows")
    return ", ".join(words)


def _rows(health: Health) -> Iterator[str]:
    if health.self_recall is None:
        yield "the index holds codes alone: hubness, lengths of links and self-recall were not measured"
        return
    if health.hubness is not None:
        yield _lower(repr(health.hubness))
    lengths = health.edge_lengths
    if lengths is not None and len(lengths.ratios):
        duplicates = f", {lengths.n_duplicates:,} of which have an equal one" if lengths.n_duplicates else ""
        yield (
            f"length of a link: {lengths.mean:.2f} times the distance to the nearest row on average, median "
            f"{lengths.percentile(50):.2f}, 99 % at most {lengths.percentile(99):.2f} (links of {lengths.n_rows:,} "
            f"rows{duplicates})"
        )
    yield from _self_recall(health.self_recall, health.n)


def _self_recall(recall: SelfRecall, n: int) -> Iterator[str]:
    found = ", ".join(
        f"{row['found']:.4f} ({row['low']:.4f} to {row['high']:.4f}) at ef={row['ef']}" for row in recall.shares
    )
    asked = "all rows" if len(recall.slots) == n else f"{len(recall.slots):,} rows"
    yield f"rows that find themselves among {recall.k} answers: {found}; {asked} asked, 95 % intervals"
    yield f"  by tenth of the insertions, known by {recall.insertion}:"
    by_tenth = recall.by_tenth
    for ef in recall.ef:
        shares = " ".join(f"{row['found']:.3f}" for row in by_tenth if row["ef"] == ef)
        yield f"  {shares} at ef={ef}"
    if recall.labels is not None:
        groups = [row for row in recall.by_group if row["ef"] == recall.ef[-1]]
        below = [row for row in groups if row["found"] < 1]
        worst = ", ".join(f"{row['label']} {row['found']:.3f} (of {row['n']:,})" for row in below[:_NAMED])
        told = f"{len(below):,} of {len(groups):,} miss some, the least are {worst}" if below else "none misses any"
        yield f"  by group at ef={recall.ef[-1]}: {told}"


def _ids(ids: Any) -> str:
    return ", ".join(f"{one!r}" for one in ids[:_NAMED].tolist())


def _first(sizes: Any) -> str:
    listed = ", ".join(f"{size:,}" for size in sizes[:_NAMED].tolist())
    return listed + (", ..." if len(sizes) > _NAMED else "")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
