"""The parts in the order in which they are built: each may use the services of those before it."""

from collections.abc import Callable, Mapping
from typing import Any

from myelin.app.ground import Ground
from myelin.app.parts.accounts import make_accounts
from myelin.app.parts.appservices import make_appservices
from myelin.app.parts.asking import make_asking
from myelin.app.parts.calls import make_calls
from myelin.app.parts.delayed_events import make_delayed_events
from myelin.app.parts.directory import make_directory
from myelin.app.parts.e2ee import make_e2ee
from myelin.app.parts.edus import make_edus
from myelin.app.parts.federation_peers import make_federation_peers
from myelin.app.parts.handshakes import make_handshakes
from myelin.app.parts.identity import make_identity
from myelin.app.parts.initial_sync import make_initial_sync
from myelin.app.parts.log import make_log
from myelin.app.parts.mail import make_mail
from myelin.app.parts.media import make_media
from myelin.app.parts.notices import make_notices
from myelin.app.parts.part import Part
from myelin.app.parts.previews import make_previews
from myelin.app.parts.push import make_push
from myelin.app.parts.reading import make_reading
from myelin.app.parts.receiving import make_receiving
from myelin.app.parts.rendezvous import make_rendezvous
from myelin.app.parts.rooms import make_rooms
from myelin.app.parts.rooms_api import make_room_moves, make_rooms_api
from myelin.app.parts.search import make_search, make_search_index
from myelin.app.parts.sending import make_sending
from myelin.app.parts.sign_in import make_sign_in
from myelin.app.parts.sliding_sync import make_sliding_sync
from myelin.app.parts.sso import make_sso
from myelin.app.parts.sticky_events import make_sticky_events
from myelin.app.parts.sync import make_sync
from myelin.app.parts.threads import make_threads
from myelin.app.parts.user_data import make_user_data

MakePart = Callable[[Ground, Mapping[type, Any]], Part]

PARTS: tuple[MakePart, ...] = (
    make_log,
    make_mail,
    make_federation_peers,
    make_identity,
    make_accounts,
    make_sso,
    make_sign_in,
    make_directory,
    make_search_index,
    make_media,
    make_previews,
    make_rooms,
    make_sending,
    make_rooms_api,
    make_e2ee,
    make_user_data,
    make_room_moves,
    make_notices,
    make_reading,
    make_receiving,
    make_edus,
    make_handshakes,
    make_asking,
    make_search,
    make_threads,
    make_sticky_events,
    make_sync,
    make_calls,
    make_rendezvous,
    make_delayed_events,
    make_initial_sync,
    make_sliding_sync,
    make_push,
    make_appservices,
)
