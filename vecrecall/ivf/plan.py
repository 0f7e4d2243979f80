"""The plan of an index: every address and number that its kernels need, in one int64 array.

A kernel takes the plan's address, so a call costs few arguments, all of one type: one specialisation serves every
storage and metric, mapped or not.
"""

ROWS_VIEW = 0  # 6 numbers: row view of the kept rows
CENTROID_VIEW = 6  # 6 numbers: row view of the centroids as float32, by direct differences or products
ROTATION = 12  # 19 numbers: rotation view
METRIC, DIM, PADDED_DIM, N, ROWS_KEPT, WIDTH, SHIFT, CONSTANTS = range(31, 39)  # WIDTH: dimensions of codes
N_LISTS, SIZES, STARTS, DIRECTORY, ROW_OF = range(39, 44)  # of lists; no lists: all rows are ranked
CODES, BLOCK_BYTES, TOP, ADDENDS, SCALES = range(44, 49)  # of vectors; TOP: the greatest code
CENTROIDS, CENTROID_BYTES, CENTROID_ADDENDS, CENTROID_SCALES, NUMBERS_LISTED = range(49, 54)  # the same of centroids
TILE_8, TILE_4, TILE_1, COARSE_8, COARSE_1 = range(54, 59)  # addresses of compiled tiles
PLAN_FIELDS = 64
