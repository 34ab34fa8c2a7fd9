import numpy as np
import pytest

from emamba.firmware.spelling import element, element_bytes, filled, narrowest, numbers, variable
from emamba.fixed import Integer


@pytest.mark.parametrize(
    ("dtype", "ctype", "size"),
    [
        (Integer(2), "int8_t", 1),
        (Integer(8), "int8_t", 1),
        (Integer(9), "int16_t", 2),
        (Integer(17), "int32_t", 4),
        (Integer(33), "int64_t", 8),
        (Integer(7, signed=False), "uint8_t", 1),
        (Integer(31, signed=False), "uint32_t", 4),
    ],
    ids=str,
)
def test_element_is_the_narrowest_type_of_its_signedness(dtype, ctype, size):
    assert (element(dtype), element_bytes(dtype)) == (ctype, size)


@pytest.mark.parametrize(
    ("values", "ctype"),
    [
        ([0], "int8_t"),
        ([127], "int8_t"),
        ([128], "uint8_t"),
        ([-1, 128], "int16_t"),
        ([-129], "int16_t"),
        ([65535], "uint16_t"),
        ([-(1 << 31), (1 << 31) - 1], "int32_t"),
        ([1 << 31], "uint32_t"),
        ([1 << 32], "int64_t"),
        ([], "int8_t"),
    ],
)
def test_an_array_has_the_narrowest_type_signed_when_it_may(values, ctype):
    assert narrowest(np.array(values, dtype=np.int64)) == ctype


def test_a_tensor_keeps_its_name_unless_c_or_the_text_around_it_has_another_use_for_it():
    assert variable("block0_x", ["linear"]) == "block0_x"
    assert [variable(name, ["linear"]) for name in ("int", "state", "linear")] == ["int__", "state__", "linear__"]


def test_each_row_of_a_matrix_begins_a_line():
    assert numbers(np.array([[1, -2], [3, 4]])) == "    1, -2,\n    3, 4,"
    assert numbers(np.array([1, -2])) == "    1, -2,"


def test_lines_are_full_and_no_longer_than_100_columns():
    lines = filled(str(1000 + i) for i in range(100)).splitlines()
    assert {len(line) for line in lines[:-1]} == {99}
    assert sum(line.count(",") for line in lines) == 100
    assert filled(["x" * 200, "y"]) == f"    {'x' * 200},\n    y,"
