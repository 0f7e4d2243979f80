"""Words of a text, and how often each stands in it: what BM25 is given."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from scipy import sparse

STOP_WORDS = frozenset(
    "a an and are as at be been but by can do for from had has have he her him his i if in into is it its me my no "
    "not of on or our she so such than that the their them then there these they this to us was we were what when "
    "which who will with would you your".split()
)

# Harman (1991), How effective is suffixing?: the first ending that fits decides; what stands before it may forbid it
PLURALS = (("ies", "y", "ae"), ("es", "e", "aeo"), ("s", "", "us"))


def stem(word: str) -> str:
    """Cut the ending of a plural (the S-stemmer).

    >>> [stem(word) for word in ("cities", "horses", "dogs", "glass", "virus", "shoes", "his")]
    ['city', 'horse', 'dog', 'glass', 'virus', 'shoe', 'his']
    """
    if len(word) > 3:
        for ending, instead, unless_after in PLURALS:
            if word.endswith(ending) and word[-len(ending) - 1] not in unless_after:
                return word[: -len(ending)] + instead
    return word


def words(text: str) -> list[str]:
    """Words of a text in their order: lower case, without stop words, plurals cut.

    >>> words("The dog's 2 bones are in the leaves")
    ['dog', '2', 'bone', 'leave']
    """
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [stem(word) for word in found if word not in STOP_WORDS and word != "s"]


def vocabulary(texts: Iterable[str]) -> dict[str, int]:
    """The column of each word of the texts, in alphabetical order."""
    return {word: column for column, word in enumerate(sorted({word for text in texts for word in words(text)}))}


def count_words(texts: Iterable[str], columns: dict[str, int]) -> sparse.csr_array:
    """How often each text (row) holds each word (column), float32; words without a column fall away.

    >>> count_words(["a dog of dogs", "no cat"], {"cat": 0, "dog": 1}).toarray()
    array([[0., 2.],
           [1., 0.]], dtype=float32)
    """
    indptr, indices, counts = [0], [], []
    for text in texts:
        bag = Counter(columns[word] for word in words(text) if word in columns)
        for column in sorted(bag):
            indices.append(column)
            counts.append(bag[column])
        indptr.append(len(indices))
    return sparse.csr_array(
        (np.array(counts, np.float32), np.array(indices, np.int32), np.array(indptr, np.int32)),
        shape=(len(indptr) - 1, len(columns)),
    )
