"""How often each thing may be done."""

from typing import Annotated

from myelin.config.sections.section import Positive, Section, about


class Bucket(Section, frozen=True, kw_only=True):
    """A token bucket: `burst` at once, and `per_second` again each second."""

    per_second: Annotated[float, about("How many a second in the long run.", gt=0.0, le=1_000_000.0)]
    burst: Annotated[Positive, about("How many at once.")]


def _bucket(per_second: float, burst: int) -> Bucket:
    return Bucket(per_second=per_second, burst=burst)


class RateLimits(Section, frozen=True, kw_only=True):
    """How often each thing may be done before the answer is M_LIMIT_EXCEEDED; one bucket each."""

    enabled: Annotated[bool, about("Whether anything is limited. Only a test server switches this off.")] = True
    message: Annotated[Bucket, about("Sending events, state and redactions, for each user.")] = _bucket(10, 50)
    login_address: Annotated[Bucket, about("Login attempts from one address.")] = _bucket(0.5, 10)
    login_account: Annotated[Bucket, about("Login attempts to one account.")] = _bucket(0.2, 10)
    login_failed: Annotated[Bucket, about("Failed login attempts to one account.")] = _bucket(0.05, 5)
    registration: Annotated[Bucket, about("Accounts made from one address.")] = _bucket(0.1, 5)
    mail_recipient: Annotated[Bucket, about("Mail that strangers can have sent to one address.")] = _bucket(0.002, 5)
    mail_link: Annotated[Bucket, about("Links of mail followed from one address.")] = _bucket(0.2, 20)
    registration_token: Annotated[Bucket, about("Checks of registration tokens from one address.")] = _bucket(0.1, 5)
    room_creation: Annotated[Bucket, about("Rooms made, for each user.")] = _bucket(0.2, 10)
    joins: Annotated[Bucket, about("Joins and knocks, for each user.")] = _bucket(0.5, 20)
    joins_per_room: Annotated[Bucket, about("Joins into one room, by all users.")] = _bucket(5, 100)
    invites: Annotated[Bucket, about("Invites sent, for each user.")] = _bucket(0.5, 20)
    invites_per_user: Annotated[Bucket, about("Invites that one user gets, from all others.")] = _bucket(0.1, 10)
    membership: Annotated[Bucket, about("Kicks, bans and unbans, for each user.")] = _bucket(2, 30)
    profile: Annotated[Bucket, about("Changes of the profile, for each user.")] = _bucket(0.2, 10)
    aliases: Annotated[Bucket, about("Aliases made or removed, for each user.")] = _bucket(0.2, 10)
    media: Annotated[Bucket, about("Uploads, for each user.")] = _bucket(2, 30)
    media_create: Annotated[Bucket, about("Media IDs reserved, for each user.")] = _bucket(2, 30)
    url_previews: Annotated[Bucket, about("Previews of URLs, for each user.")] = _bucket(2, 50)
    search: Annotated[Bucket, about("Searches in messages, for each user.")] = _bucket(0.5, 10)
    user_directory: Annotated[Bucket, about("Searches in the user directory, for each user.")] = _bucket(2, 20)
    reports: Annotated[Bucket, about("Reports of content, for each user.")] = _bucket(0.1, 5)
    keys: Annotated[Bucket, about("Uploads, queries and claims of keys, for each user.")] = _bucket(10, 100)
    to_device: Annotated[Bucket, about("Requests that send to-device messages, for each user.")] = _bucket(10, 100)
    presence: Annotated[Bucket, about("Changes of the presence status, for each user.")] = _bucket(0.5, 10)
    general: Annotated[Bucket, about("Whatever else the spec limits, for each user or address.")] = _bucket(20, 200)
