"""Authorization: who may send which event (spec: rooms, and server-server API, "Authorisation rules").

All are plain functions that return or raise `AuthRejected(rule, reason)`.
"""

from myelin.matrix.auth_rules.auth_events import check_auth_events
from myelin.matrix.auth_rules.check import check_auth_rules
from myelin.matrix.auth_rules.member import has_signature_of
from myelin.matrix.auth_rules.selection import auth_event_keys_for

__all__ = ("auth_event_keys_for", "check_auth_events", "check_auth_rules", "has_signature_of")
