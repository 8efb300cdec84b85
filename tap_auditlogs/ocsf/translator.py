"""Makes an audit event of a record."""

from __future__ import annotations

import hashlib
import logging
import typing as t
import uuid
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from tap_auditlogs.core.times import format_timestamp, parse_timestamp
from tap_auditlogs.ocsf.classes import ENTITY_MANAGEMENT, OTHER, UNKNOWN, VERSION, Activity, header
from tap_auditlogs.ocsf.mapping import Event, NotUnderstoodError, Source, Target
from tap_auditlogs.ocsf.values import milliseconds, text_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.ocsf.mapping import Record, StreamMapping

NOT_UNDERSTOOD: t.Final = "not understood"

_NAMESPACE: t.Final = uuid.UUID("f2f0c1d6-4f0e-5c37-9a55-6d8a5f2a9a31")
"""Made up once. Another one would give every event another uid."""

_spell = lru_cache(maxsize=64)(format_timestamp)
_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string")

logger = logging.getLogger(__name__)


class Translator:
    """Makes the records of `audit_events` for one stream.

    Attributes:
        counts: How many records were `understood`, and how many were not.
    """

    def __init__(self, vendor: str, mapping: StreamMapping, *, include_raw_data: bool) -> None:
        """Prepare.

        Args:
            vendor: The name of the vendor.
            mapping: Says what the records mean.
            include_raw_data: Whether an event holds its source record, without secrets, as JSON text.
        """
        self._vendor = vendor
        self._mapping = mapping
        self._include_raw_data = include_raw_data
        self._told: set[str] = set()
        self.counts: Counter[bool] = Counter()

    def translate(self, record: object, time_extracted: object) -> Record:
        """Make an event.

        Args:
            record: The record, whatever it holds.
            time_extracted: When it was read, as its message says.

        Returns:
            The record of `audit_events`; where the source record is not understood, one that says so.
        """
        extracted = _read_time(time_extracted) if isinstance(time_extracted, str) else None
        if not isinstance(record, dict):
            return self._fallback({}, _digest(_canonical.encode(record)), extracted, "it is no object")
        clean = self._mapping.clean(record)
        event_uid = self._event_uid(record)
        if event_uid is None:
            return self._fallback(clean, _digest(_canonical.encode(record)), extracted, "its key is not complete")
        source = Source(clean)
        try:
            moment, original_time = self._mapping.moment(source)
            event = self._mapping.describe(source)
        except NotUnderstoodError as error:
            return self._fallback(clean, event_uid, extracted, str(error))
        except Exception as error:  # no record may end the run; the reason is told
            logger.debug("A record of `%s` made the mapping fail.", self._mapping.stream, exc_info=True)
            return self._fallback(clean, event_uid, extracted, f"unexpected {type(error).__name__}, please report this")
        self.counts[True] += 1
        for name in self._mapping.key:
            source.rest.pop(name, None)  # they make `original_event_uid`
        unmapped = source.unmapped()
        if unmapped.get("additional_properties", ...) is None:
            del unmapped["additional_properties"]  # the tap's word for: there are none
        event.metadata["original_time"] = original_time
        if "original_event_uid" not in event.metadata:
            event.metadata["original_event_uid"] = ":".join([str(record[name]) for name in self._mapping.key])
        return self._render(event, event_uid, moment, extracted, unmapped, clean)

    def unreadable(self, line: bytes) -> Record:
        """Make an event of a message that is no JSON.

        Args:
            line: The message, of which nothing gets into the event: it may hold secrets.

        Returns:
            The record of `audit_events` that says so.
        """
        return self._fallback({}, _digest(line), None, "its message is no JSON")

    def _event_uid(self, record: Record) -> str | None:
        parts = [text_of(record.get(name)) for name in self._mapping.key]
        if None in parts:
            return None
        if self._mapping.scope is not None:
            parts.append(text_of(record.get(self._mapping.scope)))
        return _uid([self._mapping.stream, *parts])

    def _fallback(self, record: Record, event_uid: str, extracted: datetime | None, reason: str) -> Record:
        self.counts[False] += 1
        if reason not in self._told:
            self._told.add(reason)
            logger.warning(
                "A record of `%s` is not understood: %s. It passes, and becomes an event that says so.",
                self._mapping.stream,
                reason,
            )
        event = Event(
            activity=Activity(ENTITY_MANAGEMENT, OTHER, NOT_UNDERSTOOD),
            action=NOT_UNDERSTOOD,
            status=UNKNOWN,
            target=Target("source record"),
            attributes={"message": f"This record of {self._mapping.stream} could not be mapped: {reason}."},
        )
        event.attributes["entity"] = event.target.as_entity()
        try:
            moment, _ = self._mapping.moment(Source(record))
        except NotUnderstoodError:
            moment = None
        return self._render(event, event_uid, moment, extracted, record, record)

    def _render(  # noqa: PLR0913, PLR0917 - the parts of an event
        self,
        event: Event,
        event_uid: str,
        moment: datetime | None,
        extracted: datetime | None,
        unmapped: Record,
        clean: Record,
    ) -> Record:
        actor, target = event.actor, event.target
        # OCSF wants a time; where none is known the column stays null.
        time = moment or extracted or datetime.now(UTC)
        ocsf: Record = {
            "time": milliseconds(time),
            "metadata": {
                "version": VERSION,
                "product": self._mapping.product,
                "log_provider": self._vendor,
                "log_name": self._mapping.stream,
                "uid": event_uid,
            },
        }
        metadata = ocsf["metadata"]
        if event.tenant is not None:
            metadata["tenant_uid"] = event.tenant
        _put(metadata, event.metadata)
        _put(ocsf, event.attributes)
        if unmapped:
            ocsf["unmapped"] = unmapped
        if self._include_raw_data:
            ocsf["raw_data"] = _encoder.encode(clean).decode()
        return {
            "event_uid": event_uid,
            "event_time": None if moment is None else format_timestamp(moment),
            "ingested_at": None if extracted is None else _spell(extracted),
            "vendor": self._vendor,
            "source_stream": self._mapping.stream,
            "tenant": event.tenant,
            "action": event.action,
            "actor_id": actor.id,
            "actor_name": actor.name,
            "actor_email": actor.email,
            "target_type": target.type,
            "target_id": target.id,
            "target_name": target.name,
            "source_ip": event.source_ip,
            "outcome": event.status.outcome,
            "ocsf": msgspec.Raw(b"{%b,%b" % (header(event.activity, event.status), _encoder.encode(ocsf)[1:])),
        }


def _put(into: Record, attributes: Mapping[str, t.Any]) -> None:
    for name, value in attributes.items():
        if value is not None:
            into[name] = value


def _uid(parts: list[str | None]) -> str:
    """Make a UUID of version 5, like `uuid.uuid5` but in a third of its time."""
    name = _NAMESPACE.bytes + _canonical.encode(parts)
    digest = hashlib.sha1(name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _digest(content: bytes) -> str:
    """Make a uid for what has no key, from all there is."""
    return _uid([hashlib.sha256(content).hexdigest()])


@lru_cache(maxsize=64)
def _read_time(text: str) -> datetime | None:
    """Read a time that a whole page of records shares."""
    try:
        return parse_timestamp(text)
    except ValueError:
        return None
