"""Identity servers, and what else tells people from programs when they register."""

from typing import Annotated, Literal

from myelin.config.sections.federation import ServerNames
from myelin.config.sections.section import FilePath, Milliseconds, Secret, Section, about

HTTPS_URL = r"^(|https://[^\s?#]+)$"
WEB_URL = r"^https?://[^\s?#]+$"
WEB_FORM = "an https:// address"


class Identity(Section, frozen=True, kw_only=True):
    """Identity servers, which know whose an e-mail address or phone number is, where its owner wants that."""

    enabled: Annotated[
        bool,
        about("Whether users may have this server speak with identity servers: publish addresses, invite by address."),
    ] = True
    allow: Annotated[
        tuple[ServerNames, ...],
        about(
            "The only identity servers that this one speaks with; * stands for any characters. Empty: all that users "
            "name.",
            examples=[["id.example.org", "vector.im"]],
        ),
    ] = ()
    default_server: Annotated[
        str,
        about(
            "The identity server that clients are told to use, in /.well-known/matrix/client. Empty: none.",
            pattern=HTTPS_URL,
            form=WEB_FORM,
            examples=["https://id.example.org"],
        ),
    ] = ""
    msisdn_delegate: Annotated[
        str,
        about(
            "An identity server that sends text messages for this one, so that users can prove phone numbers. Empty: "
            "no phone numbers.",
            pattern=HTTPS_URL,
            form=WEB_FORM,
            examples=["https://id.example.org"],
        ),
    ] = ""
    msisdn_delegate_token: Annotated[
        Secret,
        about("The access token at that identity server. Empty: its older interface is used, which asks for none."),
    ] = ""
    deny_private_addresses: Annotated[
        bool, about("Never connect to an identity server on a private network address.")
    ] = True
    extra_ca: Annotated[
        FilePath, about("A PEM file with certificate authorities that are trusted too. Empty: the system's only.")
    ] = ""
    verify_tls: Annotated[
        bool,
        about("Whether identity servers must prove their names. Only a test server switches this off."),
    ] = True
    timeout_ms: Annotated[
        Milliseconds, about("How long an identity server may take for one answer, in milliseconds.", ge=100)
    ] = 10_000


class Captcha(Section, frozen=True, kw_only=True):
    """A puzzle that programs fail at, from a service such as reCAPTCHA, hCaptcha or Turnstile."""

    widget: Annotated[
        Literal["recaptcha", "hcaptcha", "turnstile"], about("Whose puzzle the page of the step shows.")
    ] = "recaptcha"
    public_key: Annotated[str, about("The site key. Empty: there is no puzzle.")] = ""
    private_key: Annotated[Secret, about("The secret key, by which answers are checked.")] = ""
    siteverify_url: Annotated[
        str,
        about(
            "Where answers are checked. Empty: at the service that the widget is of.",
            pattern=rf"^$|{WEB_URL}",
            form=WEB_FORM,
        ),
    ] = ""
    timeout_ms: Annotated[
        Milliseconds, about("How long the service may take to check an answer, in milliseconds.", ge=100)
    ] = 10_000
