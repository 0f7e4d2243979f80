"""BM25: term counts become a sparse matrix of impacts and a weight for each term of a query."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from vecrecall.inputs import as_number

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def bm25(counts: Any, k1: float = 0.9, b: float = 0.4) -> tuple[csr_array, NDArray[np.float32]]:
    """Weight term counts so that an inner product is the BM25 score.

    With N documents of length ``|d|`` (the sum of their counts) and mean length ``avgdl``, of which df hold a term::

        impact(term, d) = tf / (tf + k1 * (1 - b + b * |d| / avgdl))
        idf(term)       = ln(1 + (N - df + 0.5) / (df + 0.5))

    The scores of all documents for a query with term counts ``q`` (V,) are ``impacts @ (q * idf)``.

    Parameters
    ----------
    counts : scipy sparse matrix or array of real numbers, shape (n, V)
        How often each document (row) holds each term (column), in any format; it is not changed. Entries may be
        unsorted, duplicates are summed and explicit zeros dropped. Counts need not be integers.
    k1 : float, default 0.9
        How slowly further occurrences of a term saturate; at 0 only presence counts.
    b : float in [0, 1], default 0.4
        How much long documents are held back: 0 not at all, 1 in full proportion to their length.

    Returns
    -------
    impacts : scipy.sparse.csr_array of float32, shape (n, V)
        Columns are sorted within each row, without duplicates. All values are at most 1.
    idf : ndarray of float32, shape (V,)
        Above 0 also for terms that nearly all documents hold. A term in no document has the value of df = 0; no
        impact meets it.

    Raises
    ------
    TypeError
        If `counts` is not sparse or does not hold real numbers, or `k1` or `b` is no number.
    ValueError
        If an entry is negative, NaN, infinite or beyond float32, `counts` has not two dimensions or its indices are
        out of bounds, `k1` is negative or not finite, or `b` lies outside [0, 1].

    Notes
    -----
    An empty document has an empty row, and counts in N and in the mean length. A collection without documents gives
    impacts of shape (0, V). All documents are weighted together, since N, df and ``avgdl`` are the collection's.

    This is the "Lucene (accurate)" variant of Kamphuis et al.: Lucene itself rounds the lengths of documents to one
    byte, which is not done here. Robertson's form has a factor k1 + 1 more, which changes no order. The default k1 and
    b are those of Anserini.

    References
    ----------
    Robertson & Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond.
    Kamphuis, de Vries, Boytsov & Lin (2020), Which BM25 Do You Mean? A Large-Scale Reproducibility Study of Scoring
    Variants, ECIR.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import coo_array
    >>> texts = ["the cat sat on the mat", "the dog chased the cat and a second cat", "a quiet day"]
    >>> vocabulary = {}
    >>> words = [(row, vocabulary.setdefault(word, len(vocabulary)))
    ...          for row, text in enumerate(texts) for word in text.split()]
    >>> counts = coo_array((np.ones(len(words)), np.transpose(words)), shape=(len(texts), len(vocabulary)))
    >>> impacts, idf = bm25(counts)

    A query is counted over the same vocabulary; its unknown words fall away.

    >>> known = [vocabulary[word] for word in "a cat on a sofa".split() if word in vocabulary]
    >>> query = np.bincount(known, minlength=len(vocabulary))
    >>> scores = impacts @ (query * idf)
    >>> for row in np.argsort(-scores, kind="stable"):
    ...     print(f"{scores[row]:.3f} {texts[row]}")
    0.764 the cat sat on the mat
    0.757 the dog chased the cat and a second cat
    0.547 a quiet day
    """
    k1 = _as_parameter(k1, "k1", sys.float_info.max, "a finite number of at least 0, such as 0.9")
    b = _as_parameter(b, "b", 1.0, "a number from 0 to 1, such as 0.4")
    tf = _as_counts(counts)
    n, n_terms = tf.shape
    lengths = tf.sum(axis=1)
    relative = np.repeat(lengths * n, np.diff(tf.indptr)) / lengths.sum()  # |d| / avgdl of each entry; 0 / 0 of none
    impacts = tf.data / (tf.data + k1 * (1 - b + b * relative))
    df = np.bincount(tf.indices, minlength=n_terms)
    idf = np.log1p((n - df + 0.5) / (df + 0.5))
    return csr_array((impacts.astype(np.float32), tf.indices, tf.indptr), shape=tf.shape), idf.astype(np.float32)


def _as_parameter(value: Any, name: str, most: float, expected: str) -> float:
    """Return `value` as a float after checking that it is a number from 0 to `most`."""
    number = as_number(value, name, expected)
    if not 0 <= number <= most:
        raise ValueError(f"{name} is {value!r}, expected {expected}")
    return number


def _as_counts(counts: Any) -> csr_array:
    """Return a float64 copy with sorted columns, without duplicates and zeros, after checking its values."""
    if not issparse(counts):
        raise TypeError(
            f"counts is a {type(counts).__name__}, expected a scipy sparse matrix of term counts (n, V); "
            "give scipy.sparse.csr_array(counts)"
        )
    if counts.ndim != 2:
        raise ValueError(
            f"counts has shape {counts.shape}, expected two dimensions (n, V); for one document give "
            "counts.reshape(1, -1)"
        )
    if counts.dtype.kind not in "buif":
        raise TypeError(f"counts has dtype {counts.dtype}, expected real numbers; give counts.astype('float32')")
    copy = counts.astype(np.float64)  # before anything is summed: duplicates may overflow a narrow dtype
    if hasattr(copy, "check_format"):
        try:
            copy.check_format()  # conversion follows the indices without a look at bounds
        except ValueError as error:
            raise ValueError(f"counts is no valid {copy.format} matrix ({error}); build it anew") from error
    tf = csr_array(copy)
    tf.sum_duplicates()
    tf.eliminate_zeros()
    bad = np.flatnonzero(~((tf.data > 0) & (tf.data <= _FLOAT32_MAX)))
    if len(bad):
        row = int(np.searchsorted(tf.indptr, bad[0], side="right")) - 1
        raise ValueError(
            f"counts row {row}, column {tf.indices[bad[0]]} is {tf.data[bad[0]]:g}, expected finite numbers of at "
            "least 0 that float32 holds; mend or drop that entry"
        )
    return tf
