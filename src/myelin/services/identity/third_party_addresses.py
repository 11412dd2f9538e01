"""Addresses of every medium in the form that is compared (spec: appendices, "3PID Types")."""

import re

from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.services.mail.addresses import EMAIL, canonical_address

MSISDN = "msisdn"
MAX_NUMBER_CHARACTERS = 64
_DIGITS = re.compile(r"[1-9][0-9]{4,14}")
_COUNTRY = re.compile(r"[A-Z]{2}")


def canonical(medium: str, address: str) -> str:
    """An address as it is kept. Raises InvalidParam, or M_THREEPID_MEDIUM_NOT_SUPPORTED."""
    if medium == EMAIL:
        return canonical_address(address)
    if medium != MSISDN:
        raise MatrixError("Addresses are of email or msisdn", errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED")
    digits = address.strip().removeprefix("+")
    if _DIGITS.fullmatch(digits) is None:
        raise InvalidParam("A phone number is given by its digits, the country's first")
    return digits


def msisdn_of(country: str, number: str) -> str:
    """A phone number as dialled from a country, by its digits, the country's first. Raises InvalidParam."""
    if _COUNTRY.fullmatch(country) is None or len(number) > MAX_NUMBER_CHARACTERS:
        raise InvalidParam("The country is two capital letters, and the phone number what is dialled there")
    import phonenumbers  # 7 MiB that a server nobody gives a phone number to does not need

    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        raise InvalidParam("That is not a phone number") from error
    if not phonenumbers.is_possible_number(parsed):
        raise InvalidParam("That is not a phone number")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def redacted(medium: str, address: str) -> str:
    """What others may see of an address: enough for who knows it to recognise it."""
    if medium != EMAIL:
        return f"+…{address[-2:]}"
    name, _, domain = address.partition("@")
    return f"{name[:1]}...@{domain[:1]}..."


def reveals(display_name: str, address: str) -> bool:
    """Whether a name for an address says the address itself."""
    plain = "".join(display_name.casefold().split())
    digits = re.sub(r"\D", "", display_name)
    return address.casefold() in plain or (address.isdigit() and address in digits)
