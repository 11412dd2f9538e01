"""The TURN server for calls (spec: voip.yaml)."""

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.calls.turn import TurnCredentials, TurnServer

endpoints = Endpoints(group="calls", auth=Auth.GUEST)


@endpoints.endpoint("GET /_matrix/client/v3/voip/turnServer", limit="general")
async def get_turn_server(requester: Requester, turn: TurnCredentials) -> TurnServer:
    """Give credentials for the TURN server."""
    return turn.for_user(requester.user_id, is_guest=requester.is_guest)
