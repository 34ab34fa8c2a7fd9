import numpy as np
import pytest

from emamba.data.text import numbers, vocabulary, words


def test_every_line_ends_in_eos():
    assert words(" \n = A = \n b\tc\n") == ["<eos>", "=", "A", "=", "<eos>", "b", "c", "<eos>"]
    assert words("a") == ["a"]


def test_frequent_words_come_first_and_equals_in_order_of_appearance():
    assert vocabulary(words("c b b\na a z\n")) == ("b", "<eos>", "a", "c", "z")


def test_words_become_their_place_in_the_vocabulary():
    found = numbers(["b", "a", "b"], ("a", "b"))
    assert found.dtype == np.int32
    assert found.tolist() == [1, 0, 1]


def test_what_is_not_in_the_vocabulary_is_unknown_or_an_error():
    assert numbers(["x", "a"], ("a", "<unk>")).tolist() == [1, 0]
    with pytest.raises(KeyError, match="x"):
        numbers(["x"], ("a",))
