"""What can go wrong, as the spec names it.

    MyelinError
    ├── MatrixError              a client or peer did something the spec has an error code for
    │   ├── BadJson  Forbidden  InvalidParam  LimitExceeded  MissingParam  NotFound  TooLarge  Unrecognized ...
    └── CoreError                the pure core refuses a value; a caller turns it into what its API says
        ├── CanonicalJsonError   not representable as canonical JSON
        ├── InvalidIdentifier    does not follow the identifier grammar
        ├── EventFormatError     not a well-formed PDU of its room version
        │   └── EventTooLarge    over one of the size limits of the spec
        ├── SignatureError       missing or wrong signature or content hash
        └── AuthRejected         an authorization rule says no; carries the rule's number

Nothing here knows HTTP: `myelin.http.errors` maps an errcode to a status.
"""

from typing import Any, ClassVar


class MyelinError(Exception):
    """Anything that this package raises on purpose."""


class MatrixError(MyelinError):
    """An error a client may see: the spec's errcode and a message that says what to do."""

    errcode: str = "M_UNKNOWN"

    def __init__(self, message: str, *, errcode: str | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        if errcode is not None:
            self.errcode = errcode


class _Coded(MatrixError):
    code: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.errcode = cls.code


class BadJson(_Coded):
    """The body is JSON, but not what the endpoint takes."""

    code = "M_BAD_JSON"


class NotJson(_Coded):
    """The body is not JSON."""

    code = "M_NOT_JSON"


class BadState(_Coded):
    """The state change cannot be done now."""

    code = "M_BAD_STATE"


class Exclusive(_Coded):
    """The name is reserved by an application service."""

    code = "M_EXCLUSIVE"


class Forbidden(_Coded):
    """The requester may not do this."""

    code = "M_FORBIDDEN"


class IncompatibleRoomVersion(_Coded):
    """The room's version is not one the other side supports."""

    code = "M_INCOMPATIBLE_ROOM_VERSION"


class InvalidParam(_Coded):
    """A parameter has a value that is not allowed."""

    code = "M_INVALID_PARAM"


class InvalidRoomState(_Coded):
    """The initial state given for a room is invalid."""

    code = "M_INVALID_ROOM_STATE"


class InvalidUsername(_Coded):
    """The desired user name is not valid."""

    code = "M_INVALID_USERNAME"


class LimitExceeded(_Coded):
    """Too many requests; `retry_after_ms` says when to come back."""

    code = "M_LIMIT_EXCEEDED"


class MissingParam(_Coded):
    """A required parameter is missing."""

    code = "M_MISSING_PARAM"


class MissingToken(_Coded):
    """No access token was given."""

    code = "M_MISSING_TOKEN"


class NotFound(_Coded):
    """No such thing, or none that the requester may see."""

    code = "M_NOT_FOUND"


class RoomInUse(_Coded):
    """The alias is taken."""

    code = "M_ROOM_IN_USE"


class TooLarge(_Coded):
    """The request or event is too large."""

    code = "M_TOO_LARGE"


class Unrecognized(_Coded):
    """The server does not know this endpoint or method."""

    code = "M_UNRECOGNIZED"


class UnknownPos(_Coded):
    """The sliding sync connection has expired, or the position is none of this device's: begin anew without one."""

    code = "M_UNKNOWN_POS"


class UnknownToken(_Coded):
    """The access token is not valid (any more); `soft_logout` tells the client whether to keep its keys."""

    code = "M_UNKNOWN_TOKEN"


class UnsupportedRoomVersion(_Coded):
    """The room version asked for is not supported."""

    code = "M_UNSUPPORTED_ROOM_VERSION"


class UserDeactivated(_Coded):
    """The account has been deactivated."""

    code = "M_USER_DEACTIVATED"


class UserInUse(_Coded):
    """The user name is taken."""

    code = "M_USER_IN_USE"


class CoreError(MyelinError):
    """The pure core refuses a value."""


class CanonicalJsonError(CoreError):
    """The value cannot be written as canonical JSON."""


class InvalidIdentifier(CoreError):
    """The string does not follow the grammar of its kind of identifier."""


class EventFormatError(CoreError):
    """The event is not a well-formed PDU of its room version."""


class EventTooLarge(EventFormatError):
    """The event, or one of its fields that has a limit of its own, takes too many bytes."""


class SignatureError(CoreError):
    """A signature or content hash is missing or wrong."""


class AuthRejected(CoreError):
    """An authorization rule refuses the event.

    `rule` is the number of the rule in the room version's list, such as "5.3.2", so that tests and logs can name it.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{reason} (rule {rule})")
        self.rule = rule
        self.reason = reason
