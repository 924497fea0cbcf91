"""A check of each row of a table, written by the benchmark that measured it.

So a number that was typed or mended by hand is found: `figures.py --take` and the tests refuse a
row whose check is not that of its numbers. It guards against mistakes, not against forgery. Rows
that were in docs/performance.json before there were checks have those of their numbers of that day,
36a0ec2, if a benchmark had written them.
"""

import hashlib
import json
from typing import Any


def check_of(row: dict[str, Any]) -> str:
    """Return the first digits of the SHA-256 of a row as JSON, without its check."""
    text = json.dumps({name: value for name, value in row.items() if name != "check"})
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def checked(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its check."""
    return {**row, "check": check_of(row)}


def is_as_measured(row: dict[str, Any]) -> bool:
    """Whether the row is what a benchmark wrote."""
    return row.get("check") == check_of(row)
