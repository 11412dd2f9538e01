"""What the modules around messages do: rooms, presence, directory, push."""

from typing import Annotated, Literal

from myelin.config.sections.section import Count, Milliseconds, Positive, Section, about

RoomVersion = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]


class Rooms(Section, frozen=True, kw_only=True):
    """What rooms may be."""

    default_version: Annotated[RoomVersion, about("The room version of new rooms.")] = "12"
    encryption_by_default: Annotated[
        Literal["none", "private", "all"],
        about("Which new rooms are encrypted even if the client does not ask for it."),
    ] = "none"
    max_aliases_per_room: Annotated[Positive, about("How many aliases of this server a room may have.")] = 50
    max_aliases_per_user: Annotated[Positive, about("How many aliases one user may make.")] = 500
    max_invites_at_creation: Annotated[Count, about("How many users may be invited in one createRoom.")] = 100
    max_hierarchy_rooms: Annotated[Positive, about("How many rooms of a space one answer holds.", le=1000)] = 50
    max_event_delay_ms: Annotated[
        Milliseconds, about("How long a client may delay an event, in milliseconds; 0: not at all.", ge=0)
    ] = 86_400_000
    max_delayed_events_per_user: Annotated[Positive, about("How many delayed events a user may have waiting.")] = 100
    directory_needs_login: Annotated[bool, about("Show the list of public rooms only to who has signed in.")] = True
    directory_for_servers: Annotated[
        bool, about("Tell other servers the list of public rooms, for their users to look through.")
    ] = True


class Notices(Section, frozen=True, kw_only=True):
    """What the server itself tells users, in a room of its own for each."""

    enabled: Annotated[bool, about("Whether the server sends notices at all.")] = True
    localpart: Annotated[
        str,
        about(
            "The user (without @ and server) in whose name notices are sent: one that nobody can register.",
            pattern=r"^[a-z0-9._=/+-]+$",
            form="a name of lower-case letters, digits and ._=/+-",
        ),
    ] = "server"
    room_name: Annotated[str, about("The name of the room that notices are in.")] = "Server notices"


class Presence(Section, frozen=True, kw_only=True):
    """Who is online."""

    enabled: Annotated[bool, about("Tell users who share a room when one is online. It costs much in large rooms.")] = (
        True
    )
    tell_other_servers: Annotated[
        bool, about("Tell other servers when users are online with whom theirs share a room.")
    ] = True
    offline_after_ms: Annotated[
        Milliseconds, about("How long after the last /sync a user is offline, in milliseconds.", ge=5000)
    ] = 30_000
    idle_after_ms: Annotated[
        Milliseconds, about("How long after the last activity a user is unavailable, in milliseconds.", ge=5000)
    ] = 300_000


class UserDirectory(Section, frozen=True, kw_only=True):
    """How users find each other."""

    enabled: Annotated[bool, about("Allow searching for users.")] = True
    search_all_users: Annotated[
        bool,
        about("Find every user of this server, not only who shares a room with the searcher or is in a public one."),
    ] = False
    max_results: Annotated[Positive, about("How many users one search gives at most.", le=1000)] = 50


class Push(Section, frozen=True, kw_only=True):
    """Notifications on phones."""

    enabled: Annotated[bool, about("Send notifications to the push gateways that clients ask for.")] = True
    include_content: Annotated[
        bool, about("Send the message with the notification; false: only its ID, which hides it from the gateway.")
    ] = True
    deny_private_addresses: Annotated[
        bool,
        about(
            "Never connect to a push gateway on a private network address. "
            "false: gateways of your own network are allowed, also by http://."
        ),
    ] = True
    timeout_ms: Annotated[
        Milliseconds, about("How long a push gateway may take to answer, in milliseconds.", ge=1000)
    ] = 10_000
    max_pushers_per_user: Annotated[Positive, about("How many devices of a user may ask for notifications.")] = 100
