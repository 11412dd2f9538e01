"""An account is made on the pages, step by step."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from held_clock import HeldClock
from mail_server import MailServer, mail_server
from myelin.config.sections.accounts import Passwords, Registration
from myelin.config.sections.auth import Branding
from myelin.config.sections.mail import Mail
from myelin.services.accounts.registration_tokens import RegistrationTokens
from sign_in_house import Browser, House, Shown, house

NEW = {"name": "Bob", "password": "correct horse", "again": "correct horse"}


async def first_page(home: House) -> tuple[Browser, Shown]:
    browser = home.browser()
    program = await home.program()
    return browser, await browser.open(program.request(prompt="create"))


async def test_who_comes_from_an_app_returns_to_it(home: House) -> None:
    browser, page = await first_page(home)
    assert page.title == "Make an account on hs1"
    consent = await browser.submit(page, **NEW)
    assert consent.title == "Allow access to your account?"
    assert "@bob:hs1" in consent.words
    assert "code" in (await browser.submit(consent, answer="allow")).answer
    assert (await home.server.login("bob")).user_id == "@bob:hs1"


async def test_the_sign_in_page_leads_here(home: House) -> None:
    browser, program = home.browser(), await home.program()
    login = await browser.open(program.request())
    link = next(a.attributes["href"] for a in login.tree.css("a") if "register" in (a.attributes["href"] or ""))
    assert (await browser.submit(await browser.open(link), **NEW)).title == "Allow access to your account?"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "alice"}, "This user name is taken"),
        ({"name": "ALICE"}, "This user name is taken"),
        ({"name": "admin"}, "This user name is taken"),
        ({"again": "other"}, "The two passwords differ."),
        ({"form_token": "x"}, "The page was too old. Please try again."),
    ],
)
async def test_what_will_not_do_is_said(home: House, changes, problem: str) -> None:
    browser, page = await first_page(home)
    shown = await browser.submit(page, **{**NEW, **changes})
    assert (shown.status, shown.problem) == (400, problem)
    assert shown.fields()["name"] == {**NEW, **changes}["name"]


@pytest.mark.parametrize("name", ["", "b\u00f6b", "a b", "x" * 300])
async def test_names_that_cannot_be(home: House, name: str) -> None:
    browser, page = await first_page(home)
    shown = await browser.submit(page, **{**NEW, "name": name})
    assert shown.status == 400
    assert shown.problem


async def test_a_weak_password_is_refused_with_a_reason(tmp_path: Path, clock: HeldClock) -> None:
    strict = Passwords(min_length=8, min_score=3, argon2_time_cost=1, argon2_memory_kib=8)
    async with house(tmp_path, clock, sections={"passwords": strict}) as home:
        browser, page = await first_page(home)
        shown = await browser.submit(page, name="bob", password="password1", again="password1")
        assert shown.problem.startswith("The password is too easy to guess")
        shown = await browser.submit(page, name="bob", password="short", again="short")
        assert "8 characters" in shown.problem


async def test_closed_means_closed(tmp_path: Path, clock: HeldClock) -> None:
    async with house(tmp_path, clock, sections={"registration": Registration(mode="closed")}) as home:
        browser, page = await first_page(home)
        assert (page.status, page.title) == (403, "No new accounts")
        login = await browser.open("/auth/login")
        assert "Make an account" not in login.words
        shown = await browser._go("POST", "/auth/register", {**NEW, **login.fields()})
        assert shown.title == "No new accounts"
        assert (await browser.sign_in(login, "bob")).status == 403


async def test_a_token_is_asked_for_and_counted(tmp_path: Path, clock: HeldClock) -> None:
    async with house(tmp_path, clock, sections={"registration": Registration(mode="token")}) as home:
        await home.server.app.services[RegistrationTokens].create("once", uses_allowed=1)
        browser, page = await first_page(home)
        for wrong in ("", "nothing", "a b"):
            shown = await browser.submit(page, **NEW, token=wrong)
            assert shown.problem == "The registration token is wrong, or used up."
        assert (await browser.submit(page, **NEW, token="once")).title == "Allow access to your account?"
        other, page = await first_page(home)
        shown = await other.submit(page, **{**NEW, "name": "carol"}, token="once")
        assert shown.problem == "The registration token is wrong, or used up."


async def test_terms_are_agreed_to(tmp_path: Path, clock: HeldClock) -> None:
    terms = Branding(terms_url="https://example.org/terms")
    async with house(tmp_path, clock, sections={"branding": terms}) as home:
        browser, page = await first_page(home)
        fields = {**page.fields(), **NEW}
        del fields["terms"]
        shown = await browser._go("POST", page.target()[1], fields)
        assert shown.problem == "Agree to the terms of service to go on."
        assert (await browser.submit(page, **NEW, terms="on")).title == "Allow access to your account?"


@pytest.fixture
async def post(tmp_path: Path, clock: HeldClock, database_url: str) -> AsyncIterator[tuple[House, MailServer]]:
    """A server that asks for a mail address."""
    async with mail_server() as mails:
        sections = {
            "registration": Registration(mode="open", email="required"),
            "mail": Mail(smtp_host="127.0.0.1", smtp_port=mails.port, security="none"),
        }
        async with house(tmp_path, clock, database_url, sections=sections) as home:
            yield home, mails


async def to_code(home: House, mails: MailServer, address: str, name: str = "bob") -> tuple[Browser, Shown, str]:
    browser, page = await first_page(home)
    email = await browser.submit(page, **{**NEW, "name": name})
    assert email.title == "Your e-mail address"
    sent = len(mails.mails)
    code_page = await browser.submit(email, email=address, answer="send")
    assert code_page.title == "Enter the code"
    assert address in code_page.words
    await mails.until(lambda m: len(m.mails) > sent)
    return browser, code_page, str(mails.mails[-1]["Subject"])


async def test_an_address_is_proven_by_a_code(post: tuple[House, MailServer]) -> None:
    home, mails = post
    browser, page, subject = await to_code(home, mails, "bob@example.org")
    code = subject.split()[0]
    wrong = await browser.submit(page, code="000000" if code != "000000" else "000001")
    assert wrong.problem == "The code is wrong."
    assert (await browser.submit(wrong, code=f" {code[:3]} {code[3:]} ")).title == "Allow access to your account?"
    by_mail = home.browser()
    shown = await by_mail.sign_in(await by_mail.open("/auth/login"), "bob@example.org")
    assert shown.title == "Your account"


async def test_an_address_that_is_somebodys_is_not_told_on_the_page(post: tuple[House, MailServer]) -> None:
    home, mails = post
    browser, page, subject = await to_code(home, mails, "bob@example.org")
    await browser.submit(page, code=subject.split()[0])
    other, page, subject = await to_code(home, mails, "bob@example.org", "carol")
    assert not subject.split()[0].isdigit()
    assert (await other.submit(page, code="123456")).problem == "The code is wrong."


async def test_codes_cannot_be_guessed_for_ever(post: tuple[House, MailServer]) -> None:
    home, mails = post
    browser, page, subject = await to_code(home, mails, "bob@example.org")
    code = subject.split()[0]
    wrong = "999999" if code != "999999" else "999998"
    for _ in range(10):
        assert (await browser.submit(page, code=wrong)).problem == "The code is wrong."
    assert (await browser.submit(page, code=code)).problem == "Too many attempts. Have another code sent."


async def test_codes_expire(post: tuple[House, MailServer], clock: HeldClock) -> None:
    home, mails = post
    browser, page, subject = await to_code(home, mails, "bob@example.org")
    clock.pass_ms(600_000)
    shown = await browser.submit(page, code=subject.split()[0])
    assert shown.problem == "The code has expired. Have another one sent."
    clock.pass_ms(3_000_000)
    assert (await browser.submit(page, code="1")).title == "Too late"


async def test_only_so_many_codes_are_sent(post: tuple[House, MailServer]) -> None:
    home, _ = post
    browser, page = await first_page(home)
    email = await browser.submit(page, **NEW)
    for _ in range(5):
        assert (await browser.submit(email, email="bob@example.org", answer="send")).title == "Enter the code"
    shown = await browser.submit(email, email="bob@example.org", answer="send")
    assert shown.problem == "Too many codes were sent. Start again later."


async def test_an_address_that_is_asked_for_cannot_be_left_out(post: tuple[House, MailServer]) -> None:
    home, _ = post
    browser, page = await first_page(home)
    email = await browser.submit(page, **NEW)
    assert (await browser.submit(email, answer="skip")).problem == "This server asks for an e-mail address."
    assert (await browser.submit(email, email="nonsense", answer="send")).problem == "That is not an e-mail address."
