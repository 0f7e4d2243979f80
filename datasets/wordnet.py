"""Read the synsets of WordNet 3.0 from its database files (Debian package wordnet-base).

The format is wndb(5WN): one synset a line, ``offset lex_filenum ss_type w_cnt word lex_id ... | gloss``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("/usr/share/wordnet")

# lexnames(5WN): the lexicographer file of each number
LEXICOGRAPHER_FILES = tuple(
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body "
    "noun.cognition noun.communication noun.event noun.feeling noun.food noun.group noun.location "
    "noun.motive noun.object noun.person noun.phenomenon noun.plant noun.possession noun.process "
    "noun.quantity noun.relation noun.shape noun.state noun.substance noun.time verb.body verb.change "
    "verb.cognition verb.communication verb.competition verb.consumption verb.contact verb.creation "
    "verb.emotion verb.motion verb.perception verb.possession verb.social verb.stative verb.weather "
    "adj.ppl".split()
)


class Synset(NamedTuple):
    """A set of words that share one meaning."""

    id: str  # offset and part of speech, such as 00001740-n
    category: int  # number of the lexicographer file
    lemmas: list[str]
    definition: str
    examples: list[str]

    @property
    def text(self) -> str:
        """What is embedded: the words and their definition, without the examples."""
        return f"{', '.join(self.lemmas)}: {self.definition}"


def split_gloss(gloss: str) -> tuple[str, list[str]]:
    """Split a gloss into its definition and its quoted examples.

    >>> split_gloss('a small stone; worn by water; "he threw a pebble; it sank"')
    ('a small stone; worn by water', ['he threw a pebble; it sank'])
    """
    parts, quoted, start = [], False, 0
    for place, letter in enumerate(gloss):
        if letter == '"':
            quoted = not quoted
        elif letter == ";" and not quoted:
            parts.append(gloss[start:place].strip())
            start = place + 1
    parts.append(gloss[start:].strip())
    examples = [match.group(1).strip() for part in parts if (match := re.match(r'"([^"]+)"', part))]
    return "; ".join(part for part in parts if part and not part.startswith('"')), examples


def parse_line(line: str, part_of_speech: str) -> Synset:
    """Read one line of a data file."""
    head, gloss = line.split("|", 1)
    fields = head.split()
    n_words = int(fields[3], 16)
    # adjectives may carry a marker of where they stand: galore(ip)
    words = fields[4 : 4 + 2 * n_words : 2]
    lemmas = [re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in words]
    return Synset(f"{fields[0]}-{part_of_speech}", int(fields[1]), lemmas, *split_gloss(gloss.strip()))


def read_synsets(folder: Path = FOLDER) -> list[Synset]:
    """Read all 117,659 synsets, in the order of the database: nouns, verbs, adjectives, adverbs."""
    synsets = []
    for name, part_of_speech in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
        with open(folder / f"data.{name}", encoding="latin-1") as lines:
            synsets += [parse_line(line, part_of_speech) for line in lines if not line.startswith("  ")]
    return synsets


def unique_examples(synsets: list[Synset], n_words: int = 4) -> list[list[str]]:
    """For each synset its examples of at least `n_words` words that stand at no other synset."""
    times: dict[str, int] = {}
    for synset in synsets:
        for example in synset.examples:
            times[example.lower()] = times.get(example.lower(), 0) + 1
    return [
        [e for e in synset.examples if len(e.split()) >= n_words and times[e.lower()] == 1]
        for synset in synsets
    ]
