"""Addresses in the form that is compared, and what others may see of them."""

import pytest

from myelin.matrix.errors import InvalidParam, MatrixError
from myelin.services.identity.third_party_addresses import (
    MAX_NUMBER_CHARACTERS,
    canonical,
    msisdn_of,
    redacted,
    reveals,
)


@pytest.mark.parametrize(
    ("country", "number", "expected"),
    [
        ("GB", "07700900001", "447700900001"),
        ("GB", "07700 900-001", "447700900001"),
        ("GB", "+49 30 1234567", "49301234567"),
        ("DE", "030 1234567", "49301234567"),
        ("US", "(415) 555-2671", "14155552671"),
        ("GB", "٠٧٧٠٠٩٠٠٠٠١", "447700900001"),
    ],
)
def test_numbers_are_as_dialled_from_the_country(country: str, number: str, expected: str):
    assert msisdn_of(country, number) == expected


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("GB", ""),
        ("GB", "1"),
        ("GB", "hello"),
        ("gb", "07700900001"),
        ("GBR", "07700900001"),
        ("ZZ", "07700900001"),
        ("", "07700900001"),
        ("GB", "0" * 65),
        ("GB", "\x00"),
    ],
)
def test_what_is_no_number(country: str, number: str):
    with pytest.raises(InvalidParam):
        msisdn_of(country, number)


def test_a_number_is_read_up_to_a_limit():
    number = "07700900001".rjust(MAX_NUMBER_CHARACTERS)
    assert msisdn_of("GB", number) == "447700900001"
    with pytest.raises(InvalidParam):
        msisdn_of("GB", f" {number}")


@pytest.mark.parametrize(
    ("medium", "address", "expected"),
    [
        ("email", " Alice@Example.org ", "alice@example.org"),
        ("email", "straße@example.org", "strasse@example.org"),
        ("msisdn", "447700900001", "447700900001"),
        ("msisdn", "+447700900001", "447700900001"),
    ],
)
def test_the_form_that_is_compared(medium: str, address: str, expected: str):
    assert canonical(medium, address) == expected


@pytest.mark.parametrize(
    ("medium", "address"), [("email", "alice"), ("msisdn", "07700900001"), ("msisdn", "4477x"), ("msisdn", "1" * 16)]
)
def test_what_is_no_address(medium: str, address: str):
    with pytest.raises(InvalidParam):
        canonical(medium, address)


def test_other_media_are_not_known():
    with pytest.raises(MatrixError) as raised:
        canonical("pigeon", "coop 3")
    assert raised.value.errcode == "M_THREEPID_MEDIUM_NOT_SUPPORTED"


def test_what_others_see():
    assert redacted("email", "alice@example.org") == "a...@e..."
    assert redacted("msisdn", "447700900001") == "+…01"
    for medium, address in (("email", "alice@example.org"), ("msisdn", "447700900001")):
        assert not reveals(redacted(medium, address), address)


@pytest.mark.parametrize(
    ("name", "address", "says_it"),
    [
        ("alice@example.org", "alice@example.org", True),
        ("Alice <ALICE@example.org>", "alice@example.org", True),
        ("a l i c e @ example.org", "alice@example.org", True),
        ("+44 7700 900-001", "447700900001", True),
        ("a...@e...", "alice@example.org", False),
        ("+44…01", "447700900001", False),
    ],
)
def test_names_that_say_the_address(name: str, address: str, says_it: bool):
    assert reveals(name, address) is says_it
