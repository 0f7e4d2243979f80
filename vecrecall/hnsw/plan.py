"""The plan of an index: every address and number that its kernels need, in one int64 array.

A kernel takes the plan's address, so a call costs few arguments, all of one type: one specialisation serves every
storage and metric, mapped or not.
"""

from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import load64

GRAPH = 0  # 5 numbers: Graph.view()
ENTRY, TOP = 5, 6
WALK_VIEW = 8  # 6 numbers: row view of what is walked
ROWS_VIEW = 14  # 6 numbers: row view of the kept rows
ROTATION = 20  # 19 numbers: rotation view
CODED, ROWS_KEPT, METRIC, DIM, PADDED_DIM, N = range(39, 45)
CONSTANTS = 45  # address of vectors.encoding.constants_block
ENTRY_VIEW = 46  # 6 numbers: row view of the entries
N_GROUPS, ENTRIES_LISTED, GROUP_STARTS, ENTRY_SLOTS = range(52, 56)  # of entries; 0 groups: there are none
PLAN_FIELDS = 56
UNIT = 5  # place in CONSTANTS


@inner
def graph(plan):
    """Graph view."""
    return (load64(plan, 0), load64(plan, 1), load64(plan, 2), load64(plan, 3), load64(plan, 4))


@inner
def walked(plan):
    """Row view of what is walked."""
    return (load64(plan, 8), load64(plan, 9), load64(plan, 10), load64(plan, 11), load64(plan, 12), load64(plan, 13))


@inner
def entries(plan):
    """Row view of the entries."""
    return (load64(plan, 46), load64(plan, 47), load64(plan, 48), load64(plan, 49), load64(plan, 50), load64(plan, 51))


@inner
def kept(plan):
    """Row view of the kept rows."""
    return (load64(plan, 14), load64(plan, 15), load64(plan, 16), load64(plan, 17), load64(plan, 18), load64(plan, 19))


@inner
def rotation(plan):
    """Rotation view."""
    return (
        load64(plan, 20), load64(plan, 21), load64(plan, 22), load64(plan, 23), load64(plan, 24), load64(plan, 25),
        load64(plan, 26), load64(plan, 27), load64(plan, 28), load64(plan, 29), load64(plan, 30), load64(plan, 31),
        load64(plan, 32), load64(plan, 33), load64(plan, 34), load64(plan, 35), load64(plan, 36), load64(plan, 37),
        load64(plan, 38),
    )  # fmt: skip
