"""What this server asks of other servers for its users, and what it tells them."""

from collections.abc import Mapping
from typing import Any

from myelin.api.server import content_repository, event_timestamps, public_rooms, query, space_hierarchy
from myelin.api.server.media_parts import MediaParts
from myelin.app.ground import Ground
from myelin.app.parts.part import Part
from myelin.services.accounts.ports import RemoteProfileSources
from myelin.services.directory.ports import RemoteDirectories, RemoteListings
from myelin.services.federation.asking.policy_servers import PolicyServers
from myelin.services.federation.asking.remote_directory import FederatedDirectory
from myelin.services.federation.asking.remote_media import FederatedMedia
from myelin.services.federation.asking.remote_moments import FederatedMoments
from myelin.services.federation.asking.remote_profiles import FederatedProfiles
from myelin.services.federation.asking.remote_spaces import FederatedSpaces
from myelin.services.federation.asking.shared_moments import SharedMoments
from myelin.services.federation.asking.shared_spaces import SharedSpaces
from myelin.services.federation.peers.peers import Peers
from myelin.services.federation.receiving.ports import PolicyChecks
from myelin.services.media.downloads import Downloads
from myelin.services.media.files import ContentFiles
from myelin.services.media.ports import RemoteMediaSources
from myelin.services.media.thumbnails import Thumbnails
from myelin.services.rooms.cache import Rooms
from myelin.services.rooms.events_by_time import EventsByTime
from myelin.services.rooms.ports import EventPolicies, RemoteMomentSources, RemoteSpaceSources
from myelin.services.rooms.summary import Summaries
from myelin.services.rooms.visibility import Visibility

ENDPOINTS = (
    content_repository.endpoints,
    event_timestamps.endpoints,
    public_rooms.endpoints,
    query.endpoints,
    space_hierarchy.endpoints,
)


def make_asking(ground: Ground, services: Mapping[type, Any]) -> Part:
    """Media, profiles, aliases, lists and spaces, both ways."""
    peers = services[Peers]
    services[RemoteMediaSources].append(FederatedMedia(peers, ground.config.media.max_upload_size))
    services[RemoteProfileSources].append(FederatedProfiles(peers, ground.clock))
    directory = FederatedDirectory(peers)
    services[RemoteDirectories].append(directory)
    services[RemoteListings].append(directory)
    services[RemoteSpaceSources].append(FederatedSpaces(ground.server_name, peers, ground.clock))
    policies = PolicyServers(peers)
    services[EventPolicies].append(policies)
    services[PolicyChecks].append(policies)
    services[RemoteMomentSources].append(FederatedMoments(ground.server_name, peers))
    parts = MediaParts(services[Downloads], services[Thumbnails], services[ContentFiles], ground.randomness)
    rooms = services[Rooms]
    return Part(
        services={
            MediaParts: parts,
            SharedSpaces: SharedSpaces(rooms, services[Summaries]),
            SharedMoments: SharedMoments(rooms, services[Visibility], services[EventsByTime]),
        },
        endpoints=ENDPOINTS,
    )
