"""Translates RECORD messages of audit streams to RECORD messages of `audit_events`."""

from __future__ import annotations

import hashlib
import logging
import typing as t
import uuid
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from operator import attrgetter

import msgspec

from tap_auditlogs.core.canonical import canonical_encoder, canonical_json
from tap_auditlogs.core.http.response import decode_json
from tap_auditlogs.core.record_message import RecordMessage
from tap_auditlogs.core.rows import ACCOUNT
from tap_auditlogs.core.times import parse_timestamp
from tap_auditlogs.ocsf.classes import ENTITY_MANAGEMENT, OTHER, UNKNOWN, VERSION, Activity, header
from tap_auditlogs.ocsf.mapping import Event, NotUnderstoodError, Source, Target
from tap_auditlogs.ocsf.objects import Attributes, Metadata, spelled_members
from tap_auditlogs.ocsf.schema import NAME, AuditEvent
from tap_auditlogs.ocsf.values import canonical_text, milliseconds, read_time, text_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_auditlogs.ocsf.mapping import Record, StreamMapping

NOT_UNDERSTOOD: t.Final = "not understood"
TOO_DEEP: t.Final = "it is nested too deep"

_NAMESPACE: t.Final = uuid.UUID("f2f0c1d6-4f0e-5c37-9a55-6d8a5f2a9a31").bytes
"""Random. Changing it changes the uid of every event."""

_VARIANTS: t.Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""Maps a hex digit to itself with the two variant bits of a UUID set."""

_encoder = msgspec.json.Encoder(decimal_format="number")

logger = logging.getLogger(__name__)


_Columns = t.TypeVar("_Columns", bound=msgspec.Struct)
_AuditMessage: t.TypeAlias = RecordMessage[AuditEvent]


class _Message(msgspec.Struct, t.Generic[_Columns], gc=False):
    """A RECORD message with the usual columns."""

    record: _Columns
    time_extracted: str


class _Extraction(t.NamedTuple):
    """`time_extracted` of a record, parsed and as text; the records of a page share it."""

    moment: datetime
    text: str


class Translator:
    """Translates the RECORD messages of one stream.

    Attributes:
        counts: The number of records by whether they could be mapped.
    """

    def __init__(self, vendor: str, mapping: StreamMapping, *, include_raw_data: bool) -> None:
        self._vendor = vendor
        self._mapping = mapping
        self._include_raw_data = include_raw_data
        self._origin = spelled_members(
            {
                "version": VERSION,
                "product": mapping.product,
                "log_provider": vendor,
                "log_name": mapping.stream,
            }
        )
        self._key_of, self._time_of = attrgetter(mapping.key[0]), attrgetter(mapping.time_property)
        self._decoder: msgspec.json.Decoder[list[_Message[msgspec.Struct]]] | None = None
        if mapping.columns is not None and not include_raw_data:  # raw data needs the whole record
            self._decoder = msgspec.json.Decoder(t.cast("t.Any", list)[t.cast("t.Any", _Message)[mapping.columns]])
        self._told: set[str] = set()
        self.counts: Counter[bool] = Counter()

    def translate(self, lines: bytes, count: int) -> bytes:
        """Return one line per record; a record that cannot be mapped, or invalid JSON, becomes an event that says so.

        `lines` are `count` RECORD messages, of which the last may lack its line feed; every returned line has one.
        """
        failed = self.counts[False]
        events = self._translate_usual(lines, count)
        if events is None:
            events = b"".join([self._translate_usual(line, 1) or self._translate(line) for line in BytesIO(lines)])
        self.counts[True] += count - (self.counts[False] - failed)
        return events

    def _translate_usual(self, lines: bytes, count: int) -> bytes | None:
        """Translate records with the usual columns; None if any record differs."""
        if self._decoder is None:
            return None
        messages_json = lines.removesuffix(b"\n").replace(b"\n", b",")
        try:
            messages = self._decoder.decode(b"[%b]" % messages_json)
            if len(messages) != count:
                return None
            if not lines.isascii():
                lines.decode()  # `msgspec.Raw` is not checked for valid UTF-8
            return _encoder.encode_lines([*self._translate_columns(messages)])
        except (ValueError, RecursionError):
            return None  # unusual columns, types or values
        except Exception:  # reported when the records are translated one by one
            logger.debug("Some records of `%s` made the mapping fail.", self._mapping.stream, exc_info=True)
            return None

    def _translate_columns(self, messages: list[_Message[msgspec.Struct]]) -> Iterator[_AuditMessage]:
        describe, complete = self._mapping.describe_columns, self._addition
        rows = [message.record for message in messages]
        keys, times = [*map(self._key_of, rows)], map(self._time_of, rows)
        uids = _uids([[self._mapping.stream, key] for key in keys])
        for message, columns, key, event_uid, time in zip(messages, rows, keys, uids, times, strict=True):
            event = describe(columns)
            if event.original_uid is None:
                event.original_uid = key
            yield complete(event, event_uid, read_time(time), time, _read_extraction(message.time_extracted))

    def _translate(self, line: bytes) -> bytes:
        """Translate one record with any content."""
        try:
            message = decode_json(line)
        except ValueError as error:  # its content is left out, since it may contain secrets
            too_deep = isinstance(error.__cause__, RecursionError)
            return self._fallback({}, _digest(line), None, TOO_DEEP if too_deep else "its message is not JSON")
        record, extracted = message.get("record"), message.get("time_extracted")
        extraction = _read_extraction(extracted) if isinstance(extracted, str) else None
        if not isinstance(record, dict):
            return self._fallback({}, _digest_record(record, line), extraction, "it is not an object")
        mapping = self._mapping
        key = [text_of(record.get(name)) for name in mapping.key]
        event_uid = _digest_record(record, line) if None in key else self._event_uid(record, key)
        clean: Record = {}  # until secrets are removed
        try:
            clean = mapping.clean(record)
            return _encoder.encode_lines([self._understand(clean, key, event_uid, extraction)])
        except NotUnderstoodError as error:
            reason = str(error)
        except RecursionError:
            reason = TOO_DEEP
        except Exception as error:  # a record must not stop the run; the reason is logged
            logger.debug("A record of `%s` made the mapping fail.", mapping.stream, exc_info=True)
            reason = f"unexpected {type(error).__name__}, please report this"
        return self._fallback(clean, event_uid, extraction, reason)

    def _understand(
        self, clean: Record, key: list[str | None], event_uid: str, extraction: _Extraction | None
    ) -> _AuditMessage:
        mapping = self._mapping
        if None in key:
            msg = "its key is not complete"
            raise NotUnderstoodError(msg)
        source = Source(clean)
        moment, original_time = mapping.moment(source)
        event = mapping.describe(source)
        unmapped = source.unmapped()
        for name in mapping.key:
            unmapped.pop(name, None)  # they are in `original_event_uid`
        account = text_of(unmapped.pop(ACCOUNT, None))
        event.tenant = event.tenant or account
        if unmapped.get("additional_properties", ...) is None:
            del unmapped["additional_properties"]  # null if the record has none
        if event.original_uid is None:
            event.original_uid = ":".join(t.cast("list[str]", key))
        return self._complete(event, event_uid, moment, original_time, extraction, unmapped, clean)

    def _event_uid(self, record: Record, key: list[str | None]) -> str:
        mapping = self._mapping
        scope = [] if mapping.scope is None else [text_of(record.get(mapping.scope))]
        account = text_of(record.get(ACCOUNT))
        # Without an account the uid is unchanged; the name before the account keeps it distinct from key values.
        return _uid([mapping.stream, *key, *scope, *([] if account is None else [ACCOUNT, account])])

    def _fallback(self, clean: Record, event_uid: str, extraction: _Extraction | None, reason: str) -> bytes:
        self.counts[False] += 1
        if reason not in self._told:
            self._told.add(reason)
            logger.warning(
                "A record of `%s` is not understood: %s. It passes, and becomes an event that says so.",
                self._mapping.stream,
                reason,
            )
        try:
            return _encoder.encode_lines([self._not_understood(clean, event_uid, extraction, reason)])
        except RecursionError:
            return _encoder.encode_lines([self._not_understood({}, event_uid, extraction, reason)])

    def _not_understood(
        self, clean: Record, event_uid: str, extraction: _Extraction | None, reason: str
    ) -> _AuditMessage:
        target = Target("source record")
        event = Event(
            activity=Activity(ENTITY_MANAGEMENT, OTHER, NOT_UNDERSTOOD),
            action=NOT_UNDERSTOOD,
            status=UNKNOWN,
            target=target,
            attributes=Attributes(
                entity=target.as_entity(),
                message=f"This record of {self._mapping.stream} could not be mapped: {reason}.",
            ),
        )
        try:
            moment, _ = self._mapping.moment(Source(clean))
        except NotUnderstoodError:
            moment = None
        return self._complete(event, event_uid, moment, None, extraction, clean, clean)

    def _complete(  # noqa: PLR0913, PLR0917 - the parts of an event
        self,
        event: Event,
        event_uid: str,
        moment: datetime | None,
        original_time: str | None,
        extraction: _Extraction | None,
        unmapped: Record,
        clean: Record,
    ) -> _AuditMessage:
        event.attributes.unmapped = unmapped or None
        if self._include_raw_data:
            event.attributes.raw_data = _encoder.encode(clean).decode()
        return self._addition(event, event_uid, moment, original_time, extraction)

    def _addition(
        self,
        event: Event,
        event_uid: str,
        moment: datetime | None,
        original_time: str | None,
        extraction: _Extraction | None,
    ) -> _AuditMessage:
        mapping, actor, target, attributes = self._mapping, event.actor, event.target, event.attributes
        attributes.header = header(event.activity, event.status)
        # OCSF requires a time; the column is null if none is known.
        attributes.time = milliseconds(moment or (extraction.moment if extraction else datetime.now(UTC)))
        attributes.metadata = Metadata(
            self._origin,
            event_uid,
            tenant_uid=event.tenant,
            event_code=event.code,
            original_event_uid=event.original_uid,
            original_time=original_time,
            logged_time=event.logged_time,
        )
        extracted = extraction.text if extraction else None
        columns = AuditEvent(
            event_uid,
            moment if moment and moment.microsecond else moment and canonical_text(moment),
            extracted,
            vendor=self._vendor,
            source_stream=mapping.stream,
            tenant=event.tenant,
            action=event.action,
            actor_id=actor.id,
            actor_name=actor.name,
            actor_email=actor.email,
            target_type=target.type,
            target_id=target.id,
            target_name=target.name,
            source_ip=event.source_ip,
            outcome=event.status.outcome,
            ocsf=attributes,
        )
        return RecordMessage(NAME, columns, extracted)


def _uids(all_parts: Sequence[Sequence[str | None]]) -> list[str]:
    """Return UUIDs of version 5, five times as fast as `uuid.uuid5`."""
    sha1, variants = hashlib.sha1, _VARIANTS
    names = canonical_encoder.encode_lines(all_parts).split(b"\n")[:-1]
    digests = [sha1(_NAMESPACE + name, usedforsecurity=False).hexdigest() for name in names]
    return [f"{it[:8]}-{it[8:12]}-5{it[13:16]}-{variants[it[16]]}{it[17:20]}-{it[20:32]}" for it in digests]


def _uid(parts: Sequence[str | None]) -> str:
    (uid,) = _uids([parts])
    return uid


def _digest(content: bytes) -> str:
    """Return the uid of a record without a key, from its whole content."""
    return _uid([hashlib.sha256(content).hexdigest()])


def _digest_record(record: object, line: bytes) -> str:
    try:
        return _digest(canonical_json(record))
    except RecursionError:
        return _digest(line)


@lru_cache(maxsize=64)
def _read_extraction(text: str) -> _Extraction | None:
    try:
        moment = parse_timestamp(text)
    except ValueError:
        return None
    return _Extraction(moment, canonical_text(moment))
