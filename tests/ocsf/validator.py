"""Validates events as OCSF 1.8.0: with PyPI's `ocsf-json-schema`, and the four things that it does not check."""

from __future__ import annotations

import typing as t
from functools import cache

from jsonschema import Draft202012Validator
from ocsf_json_schema import (  # type: ignore[import-untyped] # it has no types
    OcsfJsonSchemaEmbedded,
    get_ocsf_schema,
)

VERSION: t.Final = "1.8.0"
YEAR_2001_MS: t.Final = 10**12
YEAR_5138_MS: t.Final = 10**14


@cache
def _schema() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", get_ocsf_schema(version=VERSION))


@cache
def _class_names() -> dict[int, str]:
    return {entry["uid"]: name for name, entry in _schema()["classes"].items()}


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(OcsfJsonSchemaEmbedded(_schema()).get_class_schema(class_name=name, profiles=[]))


def faults(event: dict[str, t.Any]) -> list[str]:
    """Say what is wrong with an event; nothing if it is valid."""
    name = _class_names().get(event.get("class_uid", -1))
    if name is None:
        return [f"there is no class {event.get('class_uid')}"]
    found = [f"{list(error.absolute_path)}: {error.message:.200}" for error in _validator(name).iter_errors(event)]
    return found or [*_further_faults(event, _schema()["classes"][name])]


def _further_faults(event: dict[str, t.Any], entry: dict[str, t.Any]) -> t.Iterator[str]:
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield f"type_uid {event['type_uid']} is not that of activity {event['activity_id']}"
    if event["metadata"]["version"] != VERSION:
        yield f"the version is {event['metadata']['version']}"
    if not YEAR_2001_MS < event["time"] < YEAR_5138_MS:
        yield f"the time {event['time']} is not in milliseconds"
    if event["category_uid"] != event["class_uid"] // 1000:
        yield "the category is not that of the class"
    for number, label in (("activity_id", "activity_name"), ("status_id", "status"), ("severity_id", "severity")):
        captions = {int(value): it["caption"] for value, it in entry["attributes"][number]["enum"].items()}
        if (
            number in event
            and event[number] != 99
            and event.get(label, captions[event[number]]) != captions[event[number]]
        ):
            yield f"{label} {event[label]!r} does not fit {number} {event[number]}"
    if event.get("class_name", entry["caption"]) != entry["caption"]:
        yield f"class_name is {event['class_name']!r}"
    types = {int(value): it["caption"] for value, it in entry["attributes"]["type_uid"]["enum"].items()}
    if event.get("type_name", types[event["type_uid"]]) != types[event["type_uid"]]:
        yield f"type_name is {event['type_name']!r}"
