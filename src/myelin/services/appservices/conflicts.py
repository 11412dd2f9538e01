"""What keeps application services from being there at the same time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from myelin.services.appservices.examples import examples
from myelin.services.appservices.namespaces import Namespace
from myelin.services.appservices.registration import Registration


def conflicts(registrations: Sequence[Registration]) -> list[str]:
    """What is wrong with having all of them, a line for each; empty if nothing is."""
    found = [f"there are two application services with the id {name}" for name in _repeated(registrations)]
    for first, second in combinations(registrations, 2):
        found += (f"{first.appservice_id} and {second.appservice_id} {reason}" for reason in _between(first, second))
    return found


def _repeated(registrations: Iterable[Registration]) -> list[str]:
    counts = Counter(r.appservice_id for r in registrations)
    return [name for name, count in counts.items() if count > 1]


def _between(first: Registration, second: Registration) -> Iterator[str]:
    if first.token_hash == second.token_hash:
        yield "have the same as_token"
    if first.sender == second.sender:
        yield f"have the same sender_localpart, {first.sender[1:].partition(':')[0]}"
    kinds = (("users", first.users, second.users), ("aliases", first.aliases, second.aliases))
    for kind, one, other in kinds:
        for mine, theirs in ((a, b) for a in one for b in other if a.exclusive and b.exclusive):
            if overlap(mine, theirs):
                yield f"have exclusive {kind} namespaces that overlap: {mine.regex} and {theirs.regex}"


def overlap(one: Namespace, other: Namespace) -> bool:
    """Whether some identifier is in both namespaces, as far as that shows in examples of each."""
    if one.regex == other.regex:
        return True
    return any(other.matches(text) for text in examples(one.regex)) or any(
        one.matches(text) for text in examples(other.regex)
    )
