"""What a text is: words as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

END, UNKNOWN = "<eos>", "<unk>"
Words = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Text:
    """A text in three parts, each the numbers [words] of its words in `vocabulary`.

    `identity` says in words and by hash which text it is. The most frequent training word is number 0;
    of words as frequent, the one that comes first in the text has the smaller number.
    """

    name: str
    identity: str
    vocabulary: tuple[str, ...]
    train: Words
    validation: Words
    test: Words


def words(text: str) -> list[str]:
    """The words of `text`, with `<eos>` at the end of each line."""
    return text.replace("\n", f" {END} ").split()


def vocabulary(train: list[str]) -> tuple[str, ...]:
    """The different words, the most frequent first, those as frequent in order of appearance."""
    return tuple(word for word, _ in Counter(train).most_common())


def numbers(part: list[str], known: tuple[str, ...]) -> Words:
    """The numbers of the words of `part`; KeyError for a word that is not known, unless `<unk>` is."""
    number = {word: index for index, word in enumerate(known)}
    if UNKNOWN in number:
        return np.fromiter((number.get(word, number[UNKNOWN]) for word in part), np.int32, len(part))
    return np.fromiter((number[word] for word in part), np.int32, len(part))
