"""How each peer is drawn: the same colour, dash and marker on every data set of a kind, on page and picture.

Colours are those of Okabe & Ito (ours) and of Paul Tol's muted scheme (peers), both made to be told apart by
colour-blind eyes; twelve and more curves need dashes and markers beside.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.curves import peers_of
from bench.results import Results

OURS = ("#D55E00", "#000000", "#E69F00")
PEERS = ("#332288", "#44AA99", "#AA4499", "#117733", "#56B4E9", "#882255", "#999933", "#0072B2", "#777777")
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x")


@dataclass(frozen=True)
class Look:
    """Names are plotly's; `pictures` translates them."""

    colour: str
    dash: str
    marker: str
    width: float


def looks_of(results: Results, *, sparse: bool) -> dict[str, Look]:
    """A look by the name of a peer, for all data sets that are sparse, or all others."""
    kind = {facts.name for facts in results.data if facts.sparse == sparse}
    built = [one for one in results.built if one.data in kind]
    ours = set(peers_of(one for one in built if one.ours))
    looks: dict[str, Look] = {}
    counts = {True: 0, False: 0}
    for name in peers_of(built):
        own = name in ours
        nth, colours = counts[own], OURS if own else PEERS
        counts[own] += 1
        looks[name] = Look(
            colour=colours[nth % len(colours)],
            dash=DASHES[nth // len(colours) % len(DASHES)],
            marker=MARKERS[nth % len(MARKERS)],
            width=4.0 if own else 1.8,
        )
    return looks


def dash_of_build(nth: int) -> str:
    """The dash of a peer's n-th build, where builds are drawn apart."""
    return DASHES[nth % len(DASHES)]


