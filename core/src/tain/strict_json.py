"""JSON that every reader understands: no `Infinity` or `NaN`, which Python writes but the standard does not know.

They are written as {"$float": "inf"}, and read back as floats.
"""

import json
import math
from typing import Any

__all__ = ["dumps", "loads"]

_KEY = "$float"


def dumps(value: Any, indent: int | None = None) -> str:
    """`value` as JSON.

    Raises:
        TypeError: it holds something that JSON has no word for.

    >>> dumps({"limit": float("inf")})
    '{"limit": {"$float": "inf"}}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """The value that `dumps` wrote.

    Raises:
        ValueError: it is no strict JSON.

    >>> loads('{"limit": {"$float": "inf"}}')
    {'limit': inf}
    """
    return json.loads(text, object_hook=_float_or_object, parse_constant=_refuse)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_KEY: str(float(value))}
    if isinstance(value, dict):
        return {key: _finite(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(element) for element in value]
    return value


def _float_or_object(record: dict[str, Any]) -> Any:
    return float(record[_KEY]) if record.keys() == {_KEY} else record


def _refuse(token: str) -> Any:
    raise ValueError(f"'{token}' is no JSON")
