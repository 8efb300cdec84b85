"""One plain record of each audit stream, as the tap writes it."""

from __future__ import annotations

import typing as t

Json: t.TypeAlias = "dict[str, t.Any]"

LICENSE_KEY: t.Final = "AXUDK-HGKLG-BIRMT-KWNEL"
SESSION: t.Final = "authn:265432:7d0f6b2c9a1e4:nym2"

PIGMENT: t.Final[Json] = {
    "event_id": "b5a4f468-6b3c-4917-b95f-f663f502e6f6",
    "event_type": "MetricUpdated",
    "event_timestamp": "2026-11-20T05:00:00.596000Z",
    "ingestion_timestamp": "2026-11-20T05:01:00.928401Z",
    "actor": {"user": {"id": "u-1"}},
    "context": {"organization": {"id": "o-1", "name": "Example Corp"}},
    "payload": {"entity": {"id": "m-1", "name": "Headcount", "entityType": "Metric"}},
    "additional_properties": None,
}
OPENX: t.Final[Json] = {
    "obj_type": "order",
    "obj_id": "1611010849",
    "revision": 2,
    "timestamp": "2026-11-20T05:00:00.000000Z",
    "action": "update",
    "changes": {"old_value": {"name": "a"}, "new_value": {"name": "b"}},
    "user": {"first_name": "Ada", "last_name": "Lovelace", "name": "Ada Lovelace", "email": "ada@example.com"},
    "real_user": "grace@example.com",
    "ip": "10.0.50.2",
    "reason": "api",
    "program": ["uwsgi"],
    "type": "audittrail",
    "account_uid": "acc-1",
    "instance_uid": "inst-1",
    "additional_properties": None,
}
XANDR: t.Final[Json] = {
    "service": "advertiser",
    "resource_id": 4143132,
    "transaction_id": "6387a3e7-2fb3-5490-8000-000000000000",
    "created_on": "2026-11-20T05:00:00.000000Z",
    "member_id": 364,
    "user_id": 206221,
    "user_full_name": "Ada Lovelace",
    "method": "put",
    "url": "https://hbapi-proxy-production/advertiser?id=4143132",
    "plugin_id": None,
    "num_of_changes": 1,
    "modified_by_admin": False,
    "admin_id": 0,
    "internal_txn": False,
    "request_source": "hbui",
    "session_id": SESSION,
    "client_ip": "192.0.2.1",
    "ip_info": "192.0.2.1, 198.51.100.7",
    "raw_json": None,
    "changes": [{"field_name": "name", "old_value": '"a"', "new_value": '"b"', "changed": True}],
    "additional_properties": None,
}
WEB_API_LOG: t.Final[Json] = {
    "id": 2280434406,
    "product_id": 5693,
    "key": LICENSE_KEY,
    "ip": "68.155.245.0",
    "time": 1795150800,
    "occurred_at": "2026-11-20T05:00:00.000000Z",
    "state": 2024,
    "method_code": 20,
    "method": "activation",
    "succeeded": False,
    "machine_code": "216b8c08",
    "friendly_name": None,
    "floating_expires": 0,
    "do_int_value": 0,
    "do_id": 0,
    "is_anomaly": None,
    "anomaly_properties": None,
    "additional_properties": None,
}
OBJECT_LOG: t.Final[Json] = {
    "id": 7111,
    "created": 1795150800,
    "occurred_at": "2026-11-20T05:00:00.000000Z",
    "resource_type": 3,
    "resource_action": 2,
    "affected_object_id": 3565339440,
    "object_owner_user_id": 89093,
    "performed_by_user_id": "23236",
    "data": '{"Name": ["a", "b"]}',
    "additional_properties": None,
}
EVENT: t.Final[Json] = {
    "id": 41315,
    "product_id": 4012,
    "key": LICENSE_KEY,
    "machine_code": "d69f8764",
    "feature_name": "",
    "event_name": "payment",
    "time": 1795150800,
    "occurred_at": "2026-11-20T05:00:00.000000Z",
    "value": 2530,
    "currency": None,
    "metadata": f'{{"note": "bought {LICENSE_KEY}"}}',
    "additional_properties": None,
}

RECORDS: t.Final[dict[str, Json]] = {
    "pigment_audit_events": PIGMENT,
    "openx_audit_trail": OPENX,
    "xandr_change_log_detail": XANDR,
    "cryptolens_web_api_log": WEB_API_LOG,
    "cryptolens_object_log": OBJECT_LOG,
    "cryptolens_events": EVENT,
}
