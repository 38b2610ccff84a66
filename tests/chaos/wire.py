"""What the chaos campaigns know of the wire: frames and records as dicts, by the names of proto/messages.def.

The decoder is ours and knows of msgpack what the farm uses; names of fields and codes are read from the schema's text, so that
nothing is written down twice."""
import os
import re
import struct

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")


def _schema():
    with open(os.path.join(SOURCE, "messages.def")) as f:
        text = f.read().replace("\\\n", "")
    structs = {}
    for name, body in re.findall(r"#define FIELDS_(\w+)\(F, L\)(.*)", text):
        fields = {}
        for kind, key, type_, field in re.findall(r"\b([FL])\((\d+), (\w+), (\w+),", body):
            fields[int(key)] = (field, type_ if kind == "L" and type_.islower() else None)
        structs[name] = fields
    kinds = {int(n): (name, structs[s]) for n, name, s in re.findall(r"\bX\((\d+), (\w+), (\w+), \"", text)}
    return structs, kinds


def _codes():
    with open(os.path.join(SOURCE, "codes.h")) as f:
        text = f.read().replace("\\\n", "")
    return {name: {int(v): word for _, v, word in re.findall(r"X\((\w+), (\d+), \"(\w+)\"\)", body)}
            for name, body in re.findall(r"#define (\w+)_LIST\(X\)(.*)", text)}


STRUCTS, KINDS = _schema()
CODES = _codes()
NUMBER = {name: number for number, (name, _) in KINDS.items()}
RECORD = {word: number for number, word in CODES["RECORD"].items()}

_FIXED = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
          0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
_FIXED = {k: struct.Struct(v) for k, v in _FIXED.items()}
_SIZED = {0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4}


def _map(b, at, n):
    out = {}
    for _ in range(n):
        key, at = _value(b, at)
        out[key], at = _value(b, at)
    return out, at


def _array(b, at, n):
    out = []
    for _ in range(n):
        value, at = _value(b, at)
        out.append(value)
    return out, at


def _sized(b, at, tag):
    width = _SIZED[tag]
    n = int.from_bytes(b[at:at + width], "big")
    at += width
    if tag >= 0xde:
        return _map(b, at, n)
    if tag >= 0xdc:
        return _array(b, at, n)
    raw = bytes(b[at:at + n])
    return (raw if tag <= 0xc6 else raw.decode("utf-8", "replace")), at + n


def _value(b, at):
    tag = b[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag < 0x90:
        return _map(b, at, tag & 15)
    if tag < 0xa0:
        return _array(b, at, tag & 15)
    if tag < 0xc0:
        n = tag & 31
        return bytes(b[at:at + n]).decode("utf-8", "replace"), at + n
    if tag >= 0xe0:
        return tag - 256, at
    if tag in _FIXED:
        s = _FIXED[tag]
        return s.unpack_from(b, at)[0], at + s.size
    if tag in _SIZED:
        return _sized(b, at, tag)
    return {0xc0: None, 0xc2: False, 0xc3: True}[tag], at


def _named(fields, values):
    """Fields by name; those that the schema does not know are left out, as every peer does."""
    out = {}
    for key, value in values.items():
        if key in fields:
            name, sub = fields[key]
            out[name] = [_named(STRUCTS[sub], v) for v in value] if sub else value
    return out


def record(body):
    """A journal record, as bytes, as a dict with the word of its kind."""
    out = _named(STRUCTS["record"], _value(body, 0)[0])
    out["kind"] = CODES["RECORD"].get(out.get("kind", 0), "?")
    return out


HEADER = struct.Struct(">4sBBHQQQII")


def frame(b):
    """(name of the message, session, fields) of a frame."""
    _, _, kind, _, session, _, _, n, _ = HEADER.unpack_from(b)
    name, fields = KINDS.get(kind, (str(kind), {}))
    body = _named(fields, _value(b, HEADER.size)[0]) if n else {}
    if name == "EVENTS":
        for r in body.get("records", ()):
            r["kind"] = CODES["RECORD"].get(r.get("kind", 0), "?")
    return name, session, body


_ENTRY = struct.Struct("=qIc3x")


def trace(path, only=None):
    """The entries of a process's trace: (nanoseconds, 'S' | 'R' | 'M', name, session, fields); a mark's name is its text.
    only: names of the messages that are wanted."""
    wanted = {NUMBER[n] for n in only} if only else None
    with open(path, "rb") as f:
        data = memoryview(f.read())
    at = 0
    while at + _ENTRY.size <= len(data):
        ns, n, what = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        bytes_ = data[at:at + n]
        at += n
        if what == b"M":
            yield ns, "M", bytes(bytes_).decode(), 0, {}
        elif wanted is None or bytes_[5] in wanted:
            yield (ns, what.decode(), *frame(bytes_))
