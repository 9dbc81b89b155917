"""The ways that docs/architecture.md draws, walked: which files of ours a reader opens, in which order.

After a change of a way, ``PYTHONPATH=tests python -m testbed.ways`` writes the lists of the page anew.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import Final
from urllib.parse import urlencode, urlsplit

from attrs import define, field

import speckitty_connectors
from speckitty_connectors import Application, Connectors, Resource, Signal, Target
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store
from speckitty_connectors.web.forms import TOKEN_FIELD, form_token

from .desk import Script
from .hosts import Reply
from .office import WEBHOOK_SECRET, Office, open_office, who

SOURCES: Final = Path(speckitty_connectors.__file__).parent
PAGE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
ITEM: Final = re.compile(r"^\d+\. `([\w/]+\.py)`.*\n", re.MULTILINE)
HOUR: Final = 3600


@define
class Walk:
    """What a reader opens who reads each function once, at its first call.

    Attributes:
        files: the file of each of these functions; a file stands once for functions that follow each other in it.
    """

    files: list[str] = field(factory=list)
    _read: set[CodeType] = field(factory=set)

    @property
    def opened(self) -> list[str]:
        """The files in the order in which they are opened first."""
        return list(dict.fromkeys(self.files))

    @property
    def returns(self) -> int:
        """How often the reader turns back to a file that they had left."""
        return len(self.files) - len(self.opened)

    def observe(self, frame: FrameType, event: str, _argument: object) -> None:
        """Note a call; a profile function of `sys.setprofile`."""
        code = frame.f_code
        if event != "call" or code in self._read:
            return
        self._read.add(code)
        path = Path(code.co_filename)
        if path.is_relative_to(SOURCES):
            name = path.relative_to(SOURCES).as_posix()
            if self.files[-1:] != [name]:
                self.files.append(name)


@contextmanager
def walking() -> Iterator[Walk]:
    """Follow what this thread calls in the block."""
    walk, former = Walk(), sys.getprofile()
    sys.setprofile(walk.observe)
    try:
        yield walk
    finally:
        sys.setprofile(former)


Way = Callable[[Office, int], Callable[[], object]]
"""Prepares one walk of a way and returns it; the number tells the walks apart."""


def webhook(office: Office, number: int) -> Callable[[], object]:
    """A delivery of a mapped board arrives at the web application, is routed, and reaches the host's handler."""
    account = f"webhook-{number}"
    installation = office.connect(account={"id": account, "name": account, "kind": "space"})
    office.connectors.inventory.sync("w1", installation.id)
    office.map(installation, "b1", "apollo")
    if number == 0:
        office.connectors.on("project")(lambda dispatch, connection: None)
    document = {
        "event": "push",
        "account": {"id": account},
        "board": {"id": "b1", "key": "kitchen/menu"},
        "git": {"branch": "main", "commits": [f"{number:040x}"]},
    }
    body = json.dumps(document).encode()
    signed = sign(office.plugin.manifest.webhooks.schemes["secret"], WEBHOOK_SECRET, body, now=office.clock())
    headers = {**signed, "X-Fake-Event": "push", "X-Fake-Delivery": f"way-{number}"}
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    path = urlsplit(office.connectors.webhook_url(office.app)).path
    worker = office.connectors.worker()

    def walk() -> None:
        request(office, "POST", path, body=body, CONTENT_TYPE="application/json", **environ)
        assert worker.run_once() == 2  # the delivery is routed, and its one dispatch handed over

    return walk


def install(office: Office, number: int) -> Callable[[], object]:
    """A member presses the button, authorises at the provider, and comes back with an account connected."""
    account = {"id": f"install-{number}", "name": "Seven", "kind": "space"}

    def walk() -> None:
        form = urlencode({TOKEN_FIELD: form_token(who("mona"))})
        sent = request(office, "POST", "/connect/fake", body=form.encode())
        brought = office.server.approve(sent["Location"], account=account)
        request(office, "GET", f"/callback/fake/{office.host}", query=urlencode(brought))
        assert account["id"] in {each.account_id for each in office.connectors.installations("w1")}

    return walk


def renewal(office: Office, number: int) -> Callable[[], object]:
    """A call finds its access token at its end, has it renewed, and is sent with the new one."""
    token = f"renewed-{number}"
    tokens = {"access_token": token, "refresh_token": "r", "token_type": "bearer", "expires_in": HOUR}
    office.server.on_refresh = lambda: Reply(
        body=json.dumps(tokens).encode(), headers={"Content-Type": "application/json"}
    )
    account = {"id": f"renewal-{number}", "name": "Seven", "kind": "space"}
    installation = office.connect(account=account, expires_in=HOUR)
    acting = office.connectors.links.act_as(workspace="w1", installation_id=installation.id, member="hugo")
    office.clock.advance(2 * HOUR)

    def walk() -> None:
        acting.session.get("/boards")
        assert office.server.host.received[-1].headers["Authorization"] == f"Bearer {token}"

    return walk


def suggestion(office: Office, number: int) -> Callable[[], object]:
    """A project's git remote is reported, and a board that it names is suggested for the project."""
    account, key = f"suggestion-{number}", f"kitchen/{number}"
    office.plugin.resources = (Resource(kind="board", id="b1", key=key),)
    installation = office.connect(account={"id": account, "name": account, "kind": "space"})
    office.connectors.inventory.sync("w1", installation.id)
    signal = Signal(project_id=f"project-{number}", remote_url=f"{office.server.host.url}/{key}.git")

    def walk() -> None:
        office.connectors.signals.report(workspace="w1", signals=[signal])
        office.connectors.suggestions.refresh(workspace="w1", installation_id=installation.id)
        [found] = office.connectors.suggestions.list(workspace="w1", installation_id=installation.id)
        assert found.target == Target(kind="project", id=signal.project_id)

    return walk


WAYS: Mapping[str, Way] = {
    "A webhook": webhook,
    "An install": install,
    "A renewal": renewal,
    "A suggestion": suggestion,
}
"""Heading of the page → the way."""


@cache
def application_of(connectors: Connectors) -> Application:
    """Return the web application, which a host makes once."""
    return Application(connectors, identify=lambda _: who("mona"))


def request(
    office: Office, method: str, path: str, *, query: str = "", body: bytes = b"", **environ: str
) -> Mapping[str, str]:
    """Send a request to the web application as mona; return the headers of a response that is no refusal."""
    sent: list[tuple[str, list[tuple[str, str]]]] = []
    asked = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,  # as the server of `serve` says
    }
    application = application_of(office.connectors)
    shown = b"".join(application({**asked, **environ}, lambda status, given: sent.append((status, given))))
    [(status, headers)] = sent
    assert status < "400", shown
    return dict(headers)


def walked(way: Way, database_url: str) -> Walk:
    """Walk a way on an empty database; it is walked twice before, so that everything is imported and cached."""
    with open_office(database_url, Script()) as office:
        for number in range(2):
            way(office, number)()
        walk = way(office, 2)
        with walking() as followed:
            walk()
        return followed


def drawn(page: str, heading: str) -> list[str]:
    """Return the files that a section of the page lists."""
    return ITEM.findall(section(page, heading))


def section(page: str, heading: str) -> str:
    """Return the text of the section under a heading of the third level."""
    return page.split(f"\n### {heading}\n")[1].partition("\n#")[0]


def redrawn(page: str, heading: str, files: list[str]) -> str:
    """Return the page with these files in the list of a section, each with what its docstring says."""
    before = section(page, heading)
    lines = [f"{number}. `{file}`: {summary(file)}\n" for number, file in enumerate(files, 1)]
    introduction = before[: before.index("\n1. ") + 1] if "\n1. " in before else f"{before.rstrip()}\n\n"
    rest = ITEM.sub("", before[len(introduction) :]).strip()
    after = introduction + "".join(lines) + (f"\n{rest}\n" if rest else "")
    return page.replace(f"\n### {heading}\n{before}", f"\n### {heading}\n{after}")


def summary(file: str) -> str:
    """Return the first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(SOURCES.joinpath(file).read_text("utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def main() -> None:
    """Write the lists of the page anew."""
    page = PAGE.read_text("utf-8")
    for heading, way in WAYS.items():
        with TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/ways.db"
            with closing(Store(url)) as store:
                migrations.upgrade(store)
            page = redrawn(page, heading, walked(way, url).opened)
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
