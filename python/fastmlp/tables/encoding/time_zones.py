"""Whether the times of a column have a time zone: these are read in UTC, others as they are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from fastmlp._validation import brief
from fastmlp.tables.encoding.kinds import ZONES, Kind
from fastmlp.tables.reading import dates
from fastmlp.tables.reading.table import Table, Text

UTC: Final = "UTC"
LOCAL: Final = "local"


def zones_of(table: Table, name: str) -> dict[str, str]:
    """Return `UTC` or `LOCAL`, or both, each with such a time of a column; nothing for days."""
    column = table.held(name)
    if isinstance(column, Text):
        found = dates.moments(column.values)
        return {UTC if is_zoned else LOCAL: cell for is_zoned, cell in found.items()}
    if column.dtype.kind != "M":
        return {}
    times = column[:]
    known = ~np.isnat(times)
    are_moments = known & (times != times.astype("M8[D]"))
    some = are_moments if are_moments.any() or name not in table.zoned else known
    if not some.any():
        return {}
    return {UTC if name in table.zoned else LOCAL: str(times[int(some.argmax())])}


def of_zones(kind: Kind, zones: Mapping[str, str]) -> Kind:
    """Return the kind of dates with these zones: its unit is the zone, None if there are both."""
    if not zones:
        return kind
    if len(zones) > 1:
        cells = f"{brief(zones[UTC])} and {brief(zones[LOCAL])}"
        return replace(kind, unit=None, reason=_joined("; ", kind.reason, f"{ZONES}{cells}"))
    unit = next(iter(zones))
    reason = _joined(", ", kind.reason, "in UTC" if unit == UTC else "")
    return replace(kind, unit=unit, reason=reason)


def _joined(between: str, *parts: str) -> str:
    return between.join(filter(None, parts))


def zone_note(table: Table, name: str, trained: str | None) -> str:
    """Return a note if times of a column have a time zone, and those of the training had none.

    Or the other way round; empty otherwise. "" or None for those of the training tells nothing.
    """
    zones = zones_of(table, name) if trained else {}
    if trained == LOCAL and UTC in zones:
        what = "a time zone and is read in UTC, but the times of the training had none"
        return f"column {brief(name)}: {brief(zones[UTC])} has {what}"
    if trained == UTC and LOCAL in zones:
        what = "no time zone and is taken as UTC, as which the times of the training were read"
        return f"column {brief(name)}: {brief(zones[LOCAL])} has {what}"
    return ""
