"""Whole numbers that callers give: players, budgets, seeds, repeats."""

from __future__ import annotations

import operator
import reprlib
from typing import Any

from hlx.errors import InputError


def whole_number(value: Any, name: str, least: int | None = None) -> int:
    """The number as an int, also where it is one of numpy's; nothing is rounded.

    Raises
    ------
    InputError : no whole number (16.0 and "16" are none), or below `least`; names it `name`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise InputError(f"{name}: expected a whole number, found {reprlib.repr(value)}")
    if least is not None and number < least:
        raise InputError(f"{name}: expected at least {least}, found {number}")
    return number
