"""Whole numbers are whole, whoever wrote them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.io.checks import whole_number


@given(number=st.integers(-100, 100), kind=st.sampled_from([int, np.int8, np.int64, np.array]))
def test_whole_numbers_of_any_type_become_ints(number: int, kind: type) -> None:
    found = whole_number(kind(number), "budget")
    assert found == number and type(found) is int
    with pytest.raises(InputError, match=f"budget: expected at least {number + 1}, found {number}"):
        whole_number(kind(number), "budget", least=number + 1)


NO_NUMBERS = [16.0, np.float32(2), "16", None, True, np.True_, [3], float("nan"), np.zeros(900)]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_nothing_is_rounded(value: object) -> None:
    with pytest.raises(InputError, match=r"^seed: expected a whole number, found .+$") as raised:
        whole_number(value, "seed")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 110
