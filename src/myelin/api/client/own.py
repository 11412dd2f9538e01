"""What only the user concerned may do."""

from myelin.http.requester import Requester
from myelin.matrix.errors import Forbidden


def check_own(requester: Requester, user_id: str) -> None:
    """Raises Forbidden unless the user in the path is the one who asks."""
    if requester.user_id != user_id:
        raise Forbidden("You can do this for yourself only")
