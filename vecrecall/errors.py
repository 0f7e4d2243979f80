"""The exceptions of the package: one root, so that ``except VecrecallError`` catches them all."""


class VecrecallError(Exception):
    """Root of every exception the package defines itself."""


class IndexFileError(VecrecallError, ValueError):
    """An index file is damaged, foreign, or of a version this library does not read."""


class CorruptIndexError(VecrecallError, RuntimeError):
    """``check()`` found an invariant of an index broken; the message names the first one."""


class DataFileError(VecrecallError, ValueError):
    """A file of vectors, truth, judgements or runs is damaged, torn or foreign."""
