"""Servers behind identifiers: some rules trust the server of a user rather than the user."""


def domain_of(identifier: str) -> str:
    """What follows the first colon of an identifier: a server name, or nothing."""
    return identifier.partition(":")[2]


def same_domain(one: str, other: str) -> bool:
    """Whether two identifiers have domains, and the same."""
    domain = domain_of(one)
    return domain != "" and domain == domain_of(other)
