"""A Mapbox vector tile taken apart, by the published format (version 2.1), for tests to look into."""

import struct


def layers(data):
    """Return the layers of a tile by name: a list of features with id, type, properties and raw geometry."""
    found = {}
    for field, value in _fields(data):
        if field == 3:
            name, features = _layer(value)
            found[name] = features
    return found


def _layer(data):
    name, keys, values, raw = "", [], [], []
    for field, value in _fields(data):
        if field == 1:
            name = value.decode()
        elif field == 2:
            raw.append(value)
        elif field == 3:
            keys.append(value.decode())
        elif field == 4:
            values.append(_value(value))
    return name, [_feature(one, keys, values) for one in raw]


def _feature(data, keys, values):
    feature = {"id": None, "type": 0, "properties": {}, "geometry": []}
    for field, value in _fields(data):
        if field == 1:
            feature["id"] = value
        elif field == 2:
            tags = list(_varints(value))
            feature["properties"] = {
                keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2], strict=True)
            }
        elif field == 3:
            feature["type"] = value
        elif field == 4:
            feature["geometry"] = list(_varints(value))
    return feature


def _value(data):
    [(field, value)] = list(_fields(data))
    if field == 1:
        return value.decode()
    if field == 2:
        return struct.unpack("<f", value)[0]
    if field == 3:
        return struct.unpack("<d", value)[0]
    if field == 6:
        return (value >> 1) ^ -(value & 1)
    return bool(value) if field == 7 else value


def _fields(data):
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
        else:
            if wire == 2:
                size, at = _varint(data, at)
            else:
                size = {1: 8, 5: 4}[wire]
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def _varints(data):
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
