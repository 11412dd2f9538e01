"""What clients need to know to begin (RFC 8414; OpenID Connect Discovery; spec: "Server metadata discovery")."""

from typing import Any

from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.oauth2.authorization_request import RESPONSE_MODES
from myelin.auth.oauth2.client_metadata import GRANT_TYPES, RESPONSE_TYPES
from myelin.auth.oauth2.id_tokens import ALGORITHM
from myelin.auth.oauth2.scopes import API, OPENID

ACCOUNT_ACTIONS = (
    "org.matrix.devices_list",
    "org.matrix.device_view",
    "org.matrix.device_delete",
    "org.matrix.cross_signing_reset",
)
"""Deep links into the account pages, under the names of the spec; those of MSC4191 are understood too."""


class ServerMetadata:
    """The document, made once."""

    def __init__(self, at: Addresses) -> None:
        self.document = _document(at)


def _document(at: Addresses) -> dict[str, Any]:
    return {
        "issuer": at.issuer,
        "authorization_endpoint": at.authorize,
        "token_endpoint": at.token,
        "revocation_endpoint": at.revoke,
        "registration_endpoint": at.registration,
        "device_authorization_endpoint": at.device_authorization,
        "jwks_uri": at.keys,
        "userinfo_endpoint": at.userinfo,
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": [OPENID, API],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "nonce", "auth_time", "amr", "at_hash"],
        "prompt_values_supported": ["none", "login", "consent", "create"],
        "authorization_response_iss_parameter_supported": True,
        "account_management_uri": at.account,
        "account_management_actions_supported": list(ACCOUNT_ACTIONS),
    }
