"""The plan of an index: every address and number that its kernels need, in one int64 array.

A kernel takes the plan's address, so a call costs few arguments, all of one type: one specialisation serves every
storage and metric, mapped or not.
"""

from vecrecall.kernels.jit import inner
from vecrecall.kernels.memory import load64, load_rotation_view, load_row_view

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
    return load_row_view(plan + 8 * WALK_VIEW)


@inner
def entries(plan):
    """Row view of the entries."""
    return load_row_view(plan + 8 * ENTRY_VIEW)


@inner
def kept(plan):
    """Row view of the kept rows."""
    return load_row_view(plan + 8 * ROWS_VIEW)


@inner
def rotation(plan):
    """Rotation view."""
    return load_rotation_view(plan + 8 * ROTATION)
