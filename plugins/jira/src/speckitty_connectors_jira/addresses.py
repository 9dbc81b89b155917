"""The addresses of sites: all that a delivery says of the account it comes from.

No documented payload holds a cloud id ("Webhooks"); each object's ``self`` begins with the address of its site.
"""

from __future__ import annotations

from urllib.parse import urlsplit

REST = "/rest/"
"""Where the API begins below a site's address, or below the context path of a Data Center instance."""


def address(url: str) -> str:
    """Return an address as it is compared: scheme and host in lower case, no slash at the end; else nothing.

    >>> address("https://Acme.atlassian.net/"), address("https://jira.example:8443/jira"), address("acme")
    ('https://acme.atlassian.net', 'https://jira.example:8443/jira', '')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def site_of(link: str) -> str:
    """Return the address of the site that an object's ``self`` belongs to, or nothing.

    >>> site_of("https://acme.atlassian.net/rest/api/2/issue/10001")
    'https://acme.atlassian.net'
    """
    before, rest, _ = link.partition(REST)
    return address(before) if rest else ""
