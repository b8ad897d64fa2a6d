"""The JSON form of values, as VALUES.md has it: what inputs become in Python, and results as others read them."""

import array
import base64
import datetime
import json
import math

TAG = "$mh"
# Whole numbers up to here are the same in every language; others travel as digits.
SAFE = 2**53 - 1

TYPED = {
    "b": "Int8Array", "B": "Uint8Array", "h": "Int16Array", "H": "Uint16Array", "i": "Int32Array", "I": "Uint32Array",
    "q": "BigInt64Array", "Q": "BigUint64Array", "f": "Float32Array", "d": "Float64Array",
}
CODES = {name: code for code, name in TYPED.items()}
CODES["Uint8ClampedArray"] = "B"
MARKS = {-1: None, -2: None, -3: math.nan, -4: math.inf, -5: -math.inf, -6: -0.0}


class ValueRefused(Exception):
    """A result that cannot be sent; the words say where in it, and why."""


def decode(form):
    """What a form that was read from JSON stands for."""
    if isinstance(form, dict) and len(form) == 1 and TAG in form:
        return _untag(form[TAG])
    return form


def _untag(items):
    if isinstance(items, int):
        return MARKS[items]
    built = {}

    def at(position):
        if position < 0:
            return MARKS[position]
        if position not in built:
            _build(items[position], position, built, at)
        return built[position]

    return at(0)


def _build(item, position, built, at):
    if isinstance(item, dict):
        made = built[position] = {}
        made.update((key, at(inner)) for key, inner in item.items())
    elif not isinstance(item, list):
        built[position] = item
    elif item and isinstance(item[0], str):
        _build_kind(item, position, built, at)
    elif item and item[0] == -7:
        made = built[position] = [None] * item[1]
        for index, inner in zip(item[2::2], item[3::2]):
            made[index] = at(inner)
    else:
        made = built[position] = []
        made.extend(at(inner) for inner in item)


def _build_kind(item, position, built, at):
    kind, rest = item[0], item[1:]
    if kind == "Map":
        made = built[position] = {}
        for key, value in zip(rest[::2], rest[1::2]):
            made[_hashable(at(key))] = at(value)
    elif kind == "Set":
        made = built[position] = set()
        made.update(_hashable(at(inner)) for inner in rest)
    elif kind == "Date":
        built[position] = datetime.datetime.fromisoformat(rest[0].replace("Z", "+00:00")) if rest[0] else None
    elif kind == "BigInt":
        built[position] = int(rest[0])
    elif kind == "ArrayBuffer":
        built[position] = base64.b64decode(rest[0])
    elif kind == "Error":
        fields = at(rest[0])
        built[position] = Exception(f"{fields.get('name', 'Error')}: {fields.get('message', '')}")
    elif kind == "null":
        made = built[position] = {}
        made.update((key, at(inner)) for key, inner in zip(rest[::2], rest[1::2]))
    else:
        data = at(rest[0])
        code = CODES[kind]
        built[position] = data if code == "B" else array.array(code, data)


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), check_circular=False).encode


def encode(value):
    """The JSON text of a value, in bytes: plain where JSON can say it, else tagged."""
    kind = type(value)
    if kind is int and -SAFE <= value <= SAFE:
        return b"%d" % value
    if kind is str:
        return _dumps(value).encode()
    if value is True or value is False or value is None:
        return b"true" if value is True else b"null" if value is None else b"false"
    if _is_plain(value, 0) and not (kind is dict and len(value) == 1 and TAG in value):
        return _dumps(value).encode()
    return _tagged(value)


def _is_plain(value, depth):
    """Whether the writer of JSON says just this. Deeper than values may be it is not: a cycle ends here too."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -SAFE <= value <= SAFE
    if kind is float:
        return math.isfinite(value) and (value != 0.0 or math.copysign(1.0, value) > 0)
    if depth >= 1000:
        return False
    if kind is list or kind is tuple:
        return all(_is_plain(item, depth + 1) for item in value)
    if kind is dict:
        return all(type(key) is str and _is_plain(item, depth + 1) for key, item in value.items())
    return False


def _tagged(value):
    items, places, kept = [], {}, []

    def place(value, path, depth):
        value = _plainer(value)
        if value is None or isinstance(value, (bool, str)):
            return keep(value, ("leaf", type(value), value))
        if isinstance(value, int):
            if -SAFE <= value <= SAFE:
                return keep(value, ("leaf", int, value))
            return keep(["BigInt", str(value)], ("big", value))
        if isinstance(value, float):
            if math.isfinite(value) and (value != 0.0 or math.copysign(1.0, value) > 0):
                return keep(value, ("leaf", float, value))
            return -6 if value == 0.0 else -3 if math.isnan(value) else -4 if value > 0 else -5
        if id(value) in places:
            return places[id(value)]
        if depth > 1000:
            raise ValueRefused(f"{path} is more than 1000 levels deep")
        # What has a place must live as long as its id is asked for.
        kept.append(value)
        position = places[id(value)] = len(items)
        items.append(None)
        items[position] = _item(value, path, lambda inner, name: place(inner, path + name, depth + 1), add)
        return position

    def add(item):
        items.append(item)
        return len(items) - 1

    def keep(item, key):
        if key not in places:
            places[key] = add(item)
        return places[key]

    position = place(value, "result", 0)
    return _dumps({TAG: items if position >= 0 else position}).encode()


def _item(value, path, place, add):
    if isinstance(value, (list, tuple)):
        return [place(item, f"[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        if all(isinstance(key, str) and key != "__proto__" for key in value):
            return {key: place(item, f".{key}") for key, item in value.items()}
        pairs = [(place(key, ".key"), place(item, f"[{key!r}]")) for key, item in value.items()]
        return ["Map", *[position for pair in pairs for position in pair]]
    if isinstance(value, (set, frozenset)):
        return ["Set", *[place(item, ".item") for item in value]]
    if isinstance(value, datetime.datetime):
        return ["Date", _date(value, path)]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ["Uint8Array", add(["ArrayBuffer", base64.b64encode(value).decode()])]
    if isinstance(value, array.array) and value.typecode in TYPED:
        return [TYPED[value.typecode], add(["ArrayBuffer", base64.b64encode(value.tobytes()).decode()])]
    if isinstance(value, BaseException):
        return ["Error", add({"name": place(type(value).__name__, ""), "message": place(str(value), "")})]
    raise ValueRefused(f"{path} is {_kind_of(value)}, which cannot be sent; send numbers, texts, lists, dicts or bytes")


def _plainer(value):
    """A number or an array of numpy as Python's own."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _date(value, path):
    if value.tzinfo is None:
        raise ValueRefused(f"{path} is a time without a time zone; add one: value.replace(tzinfo=datetime.timezone.utc)")
    text = value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _kind_of(value):
    name = type(value).__name__
    return "a function" if callable(value) else f"a value of the type {name}"


def content(result):
    """A result as the status and the bytes of a value in a column: nothing is no bytes, bytes are themselves."""
    if result is None:
        return 0, b""
    if isinstance(result, (bytes, bytearray, memoryview)):
        return 1, bytes(result)
    return 0, encode(result) + b","
