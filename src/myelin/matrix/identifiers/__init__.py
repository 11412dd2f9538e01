"""The identifiers of Matrix: who may be called what (spec: appendices, "Identifier Grammar").

All of them are plain strings. `check_*` returns its argument or raises InvalidIdentifier, `is_*` answers the question,
`parse_*` takes apart. What exists already in rooms is judged by the tolerant historical grammar; what this server is
about to create is judged by the strict one (`new_user_id`, `check_new_localpart`).
"""

from myelin.matrix.identifiers.mapping import mapped_localpart
from myelin.matrix.identifiers.opaque import (
    check_device_id,
    check_namespaced_id,
    check_opaque_id,
    is_namespaced_id,
    is_opaque_id,
    parse_key_id,
    parse_mxc_uri,
)
from myelin.matrix.identifiers.server_names import (
    ServerAddress,
    check_server_name,
    is_server_name,
    parse_server_name,
)
from myelin.matrix.identifiers.sigils import (
    check_event_id,
    check_new_localpart,
    check_room_alias,
    check_room_id,
    check_user_id,
    is_event_id,
    is_room_alias,
    is_room_id,
    is_user_id,
    localpart_of,
    new_user_id,
    server_name_of,
)

__all__ = (
    "ServerAddress",
    "check_device_id",
    "check_event_id",
    "check_namespaced_id",
    "check_new_localpart",
    "check_opaque_id",
    "check_room_alias",
    "check_room_id",
    "check_server_name",
    "check_user_id",
    "is_event_id",
    "is_namespaced_id",
    "is_opaque_id",
    "is_room_alias",
    "is_room_id",
    "is_server_name",
    "is_user_id",
    "localpart_of",
    "mapped_localpart",
    "new_user_id",
    "parse_key_id",
    "parse_mxc_uri",
    "parse_server_name",
    "server_name_of",
)
