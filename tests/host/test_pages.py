"""The pages of the web application, as a browser sees them: begin, come back, choose, and be told what to do."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from attrs import frozen

from speckitty_connectors import Application, Visitor
from speckitty_connectors.installations.types import Installation
from testbed.desk import ACCOUNT
from testbed.office import Office, open_office, who

MONA = who("mona")


@frozen(kw_only=True)
class Answer:
    """What a browser gets."""

    status: int
    headers: Mapping[str, str]
    text: str


@frozen(kw_only=True)
class Browser:
    """A browser in which somebody is signed in, or nobody."""

    office: Office
    visitor: Visitor | None = MONA

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        form: str = "",
        stream: io.RawIOBase | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request to the application itself."""
        sent: list[tuple[str, list[tuple[str, str]]]] = []
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(form)),
            "wsgi.input": stream or io.BytesIO(form.encode()),
            **headers,
        }
        application = Application(self.office.connectors, identify=lambda _: self.visitor)
        body = b"".join(application(environ, lambda status, given: sent.append((status, given))))
        status, given = sent[0]
        return Answer(status=int(status[:3]), headers=dict(given), text=html.unescape(body.decode()))

    def begin(self, path: str, form: str = "") -> str:
        """Press the button of a page; return where the browser is sent."""
        filled = form if "form_token" in form else "&".join(filter(None, [form, self.token(path)]))
        answer = self.ask("POST", path, form=filled, HTTP_SEC_FETCH_SITE="same-origin")
        assert answer.status == 303, answer.text
        return answer.headers["Location"]

    def token(self, path: str, query: str = "") -> str:
        """Return what the form of a page carries so that other sites can't send it."""
        [(name, value)] = re.findall(
            r'name="(form_token)" value="([^"]+)"', self.ask("GET", path, query=query).text
        )
        return urlencode({name: value})

    def come_back(self, brought: Mapping[str, str], *, path: str = "") -> Answer:
        """Come back from the provider."""
        return self.ask("GET", path or callback(self.office), query=urlencode(brought))


def callback(office: Office) -> str:
    """Return the path of the callback, as a WSGI server decodes it."""
    return f"/callback/fake/{office.host}"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A host whose pages are shown."""
    with open_office(database_url) as opened:
        yield opened


@pytest.fixture
def browser(office: Office) -> Browser:
    """Mona's browser."""
    return Browser(office=office)


def installed(office: Office) -> Installation:
    """Return the only installation of w1."""
    (found,) = office.connectors.installations("w1")
    return found


def test_a_member_connects_without_leaving_the_pages(browser: Browser, office: Office) -> None:
    """A page with a button, the provider, and back; the URL that the command line prints leads here."""
    path = urlsplit(office.connectors.connect_url("fake")).path
    page = browser.ask("GET", path)
    assert (page.status, "<button>Connect</button>" in page.text) == (200, True)
    back = browser.come_back(office.server.approve(browser.begin(path)))
    assert (back.status, "Connected: Seven" in back.text) == (200, True)
    assert back.headers["Referrer-Policy"] == "no-referrer"


def test_where_there_are_several_hosts_the_page_asks_first(browser: Browser, office: Office) -> None:
    """The host is chosen before anything is sent anywhere."""
    office.connectors.apps.register(
        provider="fake", base_url="https://fake.internal.example", client_id="c2", client_secret="the other secret"
    )
    page = browser.ask("GET", "/connect/fake")
    assert set(re.findall(r'name="host" value="([^"]+)"', page.text)) == {office.host, "fake.internal.example"}
    assert urlsplit(browser.begin("/connect/fake", "host=fake.internal.example")).netloc == "fake.internal.example"
    assert urlsplit(browser.begin("/connect/fake", f"host={quote(office.host)}")).netloc == office.host


def test_an_account_is_authorised_again_and_a_member_linked(browser: Browser, office: Office) -> None:
    """One callback serves both kinds of conversation."""
    made = office.connect()
    path = urlsplit(office.connectors.reauthorise_url(made)).path
    assert "Authorise again" in browser.ask("GET", path).text
    assert "Connected: Seven" in browser.come_back(office.server.approve(browser.begin(path))).text
    path = urlsplit(office.connectors.link_url(made)).path
    back = browser.come_back(office.server.approve(browser.begin(path)))
    assert "You are octocat" in back.text
    hugo = Browser(office=office, visitor=who("hugo"))
    assert 'name="take_over"' in hugo.ask("GET", path).text
    assert "mona" in hugo.come_back(office.server.approve(hugo.begin(path))).text
    taken = hugo.come_back(office.server.approve(hugo.begin(path, "take_over=on")))
    assert "You are octocat" in taken.text
    assert installed(office).id == made.id


def test_another_site_cannot_begin_anything(browser: Browser, office: Office) -> None:
    """A form on a foreign page is refused, and a link to the page does nothing by itself."""
    token = browser.token("/connect/fake")
    for site in ("cross-site", "same-site", "none"):
        assert browser.ask("POST", "/connect/fake", form=token, HTTP_SEC_FETCH_SITE=site).status == 403
    assert browser.ask("GET", "/connect/fake").status == 200
    assert "conversation.refused" not in office.verbs()


def test_nobody_begins_without_being_signed_in(office: Office) -> None:
    """Neither the page nor the button nor the callback."""
    stranger = Browser(office=office, visitor=None)
    for method, path in (("GET", "/connect/fake"), ("POST", "/link/x"), ("GET", callback(office))):
        assert stranger.ask(method, path, query="state=x").status == 401


@pytest.mark.parametrize("path", ["/connect/unknown", "/nothing", "/connect", "/reauthorise/a/b"])
def test_what_is_not_there_is_not_found(browser: Browser, path: str) -> None:
    """A provider that can't be connected is told from nothing by its words alone."""
    assert browser.ask("GET", path).status == 404


def test_an_installation_of_somebody_else_is_not_found(browser: Browser, office: Office) -> None:
    """The page says no more than that of a missing one."""
    foreign = office.connect("eve", workspace="w2")
    answers = [
        browser.ask("POST", f"/{page}/{name}")
        for page in ("reauthorise", "link")
        for name in (foreign.id, "missing")
    ]
    assert len({(answer.status, answer.text) for answer in answers}) == 1


@pytest.mark.parametrize("change", [lambda path: path + "/", lambda path: "/" + path])
def test_a_callback_at_nearly_the_right_address_is_refused(
    browser: Browser, office: Office, change: object
) -> None:
    """Even a slash too many, although the page behind it is the same (RFC 9700, section 2.1)."""
    brought = office.server.approve(browser.begin("/connect/fake"))
    answer = browser.come_back(brought, path=change(callback(office)))  # type: ignore[operator]  # a function
    assert (answer.status, "very address" in answer.text) == (403, True)
    assert office.server.exchanges == []


def test_a_parameter_that_stands_twice_is_refused(browser: Browser, office: Office) -> None:
    """Nobody can tell which of the two was meant."""
    brought = office.server.approve(browser.begin("/connect/fake"))
    twice = f"{urlencode(brought)}&state=another"
    assert browser.ask("GET", callback(office), query=twice).status == 400


def test_a_refusal_says_what_to_do_next(browser: Browser, office: Office) -> None:
    """Another browser's return is refused with words for the person."""
    brought = office.server.approve(browser.begin("/connect/fake"))
    answer = Browser(office=office, visitor=who("eve")).come_back(brought)
    assert answer.status == 403
    assert "start again" in answer.text


def test_a_person_picks_among_accounts(browser: Browser, office: Office) -> None:
    """The form carries the one-time state, and names are shown as text."""
    eight = {"id": "8", "name": "<b>Eight</b>", "kind": "space"}
    brought = office.server.approve(browser.begin("/connect/fake"), accounts=[ACCOUNT, eight])
    page = browser.come_back(brought)
    state = re.search(r'name="state" value="([^"]+)"', page.text)
    assert state is not None
    done = browser.ask("POST", callback(office), form=urlencode({"account": "8", "state": state.group(1)}))
    assert (done.status, installed(office).account_id) == (200, "8")


def test_a_landing_without_a_state_has_to_prove_itself(browser: Browser, office: Office) -> None:
    """A colleague's link begins nothing; the person presses a button, and then has to authorise."""
    page = browser.come_back({"installation_id": "42", "code": "forged"})
    assert page.status == 200
    form = urlencode(re.findall(r'name="([^"]+)" value="([^"]+)"', page.text))
    foreign = browser.ask("POST", callback(office), form=form, HTTP_SEC_FETCH_SITE="cross-site")
    assert foreign.status == 403
    assert office.plugin.seen == []
    sent = browser.begin(callback(office), form)
    assert dict(office.plugin.seen[-1].parameters) == {"installation_id": "42"}
    assert office.connectors.installations("w1") == []
    assert "Connected: Seven" in browser.come_back(office.server.approve(sent)).text


OWN = "https://saas.example"
FOREIGN = ("http://saas.example", "https://saas.example:8443", "https://evil.example", "null", "https://[", "")


@pytest.mark.parametrize(
    ("origin", "status"), [(OWN, 303), (f"{OWN}:443", 303), *((each, 403) for each in FOREIGN)]
)
def test_an_older_browser_says_in_origin_who_sent_a_form(browser: Browser, origin: str, status: int) -> None:
    """Where Sec-Fetch-Site is missing, another origin than that of `public_url` is refused, token or not."""
    token = browser.token("/connect/fake")
    assert browser.ask("POST", "/connect/fake", form=token, HTTP_ORIGIN=origin).status == status


def test_a_page_with_a_form_lets_the_browser_say_its_origin(browser: Browser) -> None:
    """With the policy of the other pages, a browser would call the form's origin ``null``."""
    assert browser.ask("GET", "/connect/fake").headers["Referrer-Policy"] == "same-origin"
    assert browser.ask("GET", "/connect/unknown").headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/connect/fake", "/link/x", "/reauthorise/x", "callback"])
def test_a_form_without_the_token_of_this_browser_begins_nothing(browser: Browser, path: str) -> None:
    """Not even where the browser says nothing of where the form was: neither without a token nor with another's."""
    path = callback(browser.office) if path == "callback" else path
    eve = Browser(office=browser.office, visitor=who("eve")).token("/connect/fake")
    for form in ("", "form_token=", "form_token=%C3%A9", eve, "installation_id=42"):
        assert browser.ask("POST", path, form=form).status == 403
    assert browser.office.plugin.seen == []


def test_a_choice_of_another_site_is_refused(browser: Browser, office: Office) -> None:
    """Also where it brings a state."""
    answer = browser.ask("POST", callback(office), form="state=x&account=8", HTTP_ORIGIN="https://evil.example")
    assert (answer.status, "Another site" in answer.text) == (403, True)


@pytest.mark.parametrize("path", ["/connect/fake", "/nothing", "callback"])
def test_no_page_is_shown_in_a_frame(browser: Browser, path: str) -> None:
    """Whatever page it is, old browsers are told as well."""
    answer = browser.ask("GET", callback(browser.office) if path == "callback" else path)
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_a_host_may_show_the_pages_in_frames_of_its_own(sqlite_url: str) -> None:
    """Those that the setting names, and no others; what can't name them isn't sent."""
    with open_office(sqlite_url, frame_ancestors=("https://app.example", "https://beta.example")) as office:
        headers = Browser(office=office).ask("GET", "/connect/fake").headers
    assert headers["Content-Security-Policy"] == "frame-ancestors https://app.example https://beta.example"
    assert "X-Frame-Options" not in headers


class Endless(io.RawIOBase):
    """The stream of a server that leaves the end of the body to the application, on a connection kept open."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def read(self, size: int = -1, /) -> bytes:
        """Return what is asked for; more than there is would never come."""
        assert 0 <= size <= len(self.body), "it would wait for ever"
        found, self.body = self.body[:size], self.body[size:]
        return found


def test_no_more_of_a_form_is_read_than_it_says(browser: Browser) -> None:
    """A server without an end of the body, such as the standard library's, isn't asked for more."""
    token = browser.token("/connect/fake")
    sent = browser.ask("POST", "/connect/fake", CONTENT_LENGTH=str(len(token)), stream=Endless(token.encode()))
    assert sent.status == 303
    for length in ("", "0"):
        nothing = browser.ask("POST", "/connect/fake", CONTENT_LENGTH=length, stream=Endless(b""))
        assert nothing.status == 403


@pytest.mark.parametrize(
    ("length", "status"), [("65537", 413), ("9" * 30, 400), ("-1", 400), ("1e3", 400), ("²", 400)]
)
def test_a_form_of_an_impossible_size_is_refused_unread(browser: Browser, length: str, status: int) -> None:
    """What is too large is not read at all, and what isn't a number is no size."""
    for path in ("/connect/fake", callback(browser.office)):
        answer = browser.ask("POST", path, CONTENT_LENGTH=length, stream=Endless(b""))
        assert answer.status == status


@pytest.mark.parametrize(
    "path", ["/connect/fake", "/connect/{}", "/reauthorise/{}", "/link/{}", "/callback/fake/{}"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_text_that_no_id_can_be_gets_a_4xx(browser: Browser, method: str, path: str) -> None:
    """NUL in the address, in the form or in the query is refused in words on both databases."""
    form = f"host=%00&state=%00&{browser.token('/connect/fake')}"
    for given in (form, form.replace("state=%00&", "")):
        answer = browser.ask(method, path.format("%00"), form=given, query="state=%00")
        assert answer.status < 500 if method == "GET" else 400 <= answer.status < 500
